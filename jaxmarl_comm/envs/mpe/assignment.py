"""Who goes where at the least total cost, exactly, as scipy's `linear_sum_assignment` but compiled with the rest."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from optax.assignment import hungarian_algorithm

from jaxmarl_comm.envs.mpe.world import norm

Array = jax.Array

MAX_ENUMERATED = 5  # up to 5! = 120 ways, trying them all is faster: seven times for n = 4, and compiled in a fifth


def assigned_costs(costs: Array) -> Array:
    """`[n, n]` costs of giving task j to worker i -> `[n]` costs of the workers in the cheapest assignment.

    Differentiable through the costs; which assignment is cheapest is a constant for the gradient.
    """
    return jnp.sum(jnp.where(cheapest(jax.lax.stop_gradient(costs)), costs, 0.0), axis=1)


def cheapest(costs: Array) -> Array:
    """`[n, n]` costs of giving task j to worker i -> `[n, n]` bool, whether i does j in the cheapest assignment."""
    return _enumerate(costs) if costs.shape[0] <= MAX_ENUMERATED else _search(costs)


def own_places(pos: Array, places: Array) -> Array:
    """`[n, 2]`: where each of those at `pos` goes, if all of as many places are taken at the least total distance."""
    return places[jnp.argmax(cheapest(norm(pos[:, None] - places[None])), axis=1)]


def _enumerate(costs: Array) -> Array:
    """`[n, n]` bool: whether worker i does task j, by trying all permutations: one small matrix product."""
    n = costs.shape[0]
    ways = np.eye(n)[np.array(list(itertools.permutations(range(n))))]  # [n!, n, n] permutation matrices
    totals = jnp.matmul(ways.reshape(-1, n * n).astype(costs.dtype), costs.ravel(), precision="highest")
    return jnp.asarray(ways == 1)[jnp.argmin(totals)]


def _search(costs: Array) -> Array:
    """The same by optax's Hungarian algorithm, O(n³)."""
    workers, tasks = hungarian_algorithm(costs)
    return jnp.zeros(costs.shape, bool).at[workers, tasks].set(True)
