"""Who goes where at the least total cost, exactly, as scipy's `linear_sum_assignment` but compiled with the rest."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

MAX_ENUMERATED = 5  # up to 5! = 120 ways, trying them all is cheap


def assigned_costs(costs: Array) -> Array:
    """`[n, n]` costs of giving task j to worker i -> `[n]` costs of the workers in the cheapest assignment.

    Differentiable through the costs; which assignment is cheapest is a constant for the gradient.
    """
    n = costs.shape[0]
    fixed = jax.lax.stop_gradient(costs)
    chosen = _enumerate(fixed) if n <= MAX_ENUMERATED else _augment(fixed)
    return jnp.sum(jnp.where(chosen, costs, 0.0), axis=1)


def _enumerate(costs: Array) -> Array:
    """`[n, n]` bool: whether worker i does task j, by trying all permutations: one small matrix product."""
    n = costs.shape[0]
    ways = np.eye(n)[np.array(list(itertools.permutations(range(n))))]  # [n!, n, n] permutation matrices
    totals = jnp.matmul(ways.reshape(-1, n * n).astype(costs.dtype), costs.ravel(), precision="highest")
    return jnp.asarray(ways == 1)[jnp.argmin(totals)]


def _augment(costs: Array) -> Array:
    """`[n, n]` bool: whether worker i does task j, by shortest augmenting paths (the Hungarian method, O(n³)).

    Workers enter one by one; each takes the cheapest path of reassignments that ends at a free task. The extra column
    n stands for the entering worker; `worker` says who has each task (-1: free), and u and v are the dual prices.
    """
    n = costs.shape[0]
    columns = jnp.arange(n + 1)
    padded = jnp.pad(costs, ((0, 0), (0, 1)))

    def enter(k: Array, carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, v, worker = carry
        worker = worker.at[n].set(k)

        def at_taken_task(search: Any) -> Array:
            return worker[search[0]] >= 0

        def extend(search: Any) -> Any:
            task, previous, slack, done, u, v = search
            done = done.at[task].set(True)
            reduced = padded[worker[task]] - u[worker[task]] - v
            better = ~done & (reduced < slack)
            slack, previous = jnp.where(better, reduced, slack), jnp.where(better, task, previous)
            open_slack = jnp.where(done | (columns == n), jnp.inf, slack)
            nearest = jnp.argmin(open_slack)
            step = open_slack[nearest]
            u = u.at[worker].add(jnp.where(done, step, 0.0))
            return nearest, previous, slack - jnp.where(done, 0.0, step), done, u, v - jnp.where(done, step, 0.0)

        free = jnp.full(n + 1, jnp.inf, costs.dtype)
        start = (jnp.asarray(n), jnp.full(n + 1, n), free, jnp.zeros(n + 1, bool), u, v)
        task, previous, _, _, u, v = jax.lax.while_loop(at_taken_task, extend, start)

        def hand_over(path: tuple[Array, Array]) -> tuple[Array, Array]:
            task, worker = path
            return previous[task], worker.at[task].set(worker[previous[task]])

        _, worker = jax.lax.while_loop(lambda path: path[0] != n, hand_over, (task, worker))
        return u, v, worker

    nobody = jnp.full(n + 1, -1)
    _, _, worker = jax.lax.fori_loop(0, n, enter, (jnp.zeros(n, costs.dtype), jnp.zeros(n + 1, costs.dtype), nobody))
    return columns[:n, None] == worker[:n]
