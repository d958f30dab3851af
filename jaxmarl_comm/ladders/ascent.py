"""Projected gradient ascent over plans in a box, with a bound that holds wherever the return is concave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

Array = jax.Array

FIRST_RATE, LAST_RATE = 1.0, 3e-4  # of Adam, from end to end of the box at first, shrinking by a factor each step
MOMENTA = 0.98, 0.99
COUNTED = 0.4  # the last share of the tangents, near the top, of which the bound is made


class Summit(NamedTuple):
    """The best plan met, its return `[E]`, and the bound `[E]` on what any plan returns, if returns are concave."""

    plan: Any
    value: Array
    bound: Array


class _Climb(NamedTuple):
    plan: Any
    optimiser: Any
    best: Any
    value: Array
    height: Array
    slope: Any


def ascend(objective: Callable[[Any], Array], plan: Any, num_steps: int, rate: float = FIRST_RATE) -> Summit:
    """Climb from a plan, whose arrays `[..., E]` hold numbers in [-1, 1]; objective: plan -> returns `[E]`.

    The tangent of a concave function at any point lies above it, and so does the mean of many tangents. Its largest
    value over the box is the bound, whether or not the climb has arrived.
    """
    optimiser = optax.adam(optax.exponential_decay(rate, num_steps, LAST_RATE / rate), *MOMENTA)
    first = int(num_steps * (1 - COUNTED))

    def step(climb: _Climb, k: Array) -> tuple[_Climb, None]:
        value, pull_back = jax.vjp(objective, climb.plan)
        (slope,) = pull_back(jnp.ones_like(value))
        share = (k >= first) / (num_steps - first)
        best = jax.tree.map(lambda new, old: jnp.where(value > climb.value, new, old), climb.plan, climb.best)
        change, state = optimiser.update(jax.tree.map(jnp.negative, slope), climb.optimiser, climb.plan)
        moved = jax.tree.map(lambda x, by: jnp.clip(x + by, -1, 1), climb.plan, change)
        height = climb.height + share * (value - _over_plan(jax.tree.map(jnp.multiply, slope, climb.plan)))
        mean_slope = jax.tree.map(lambda mean, new: mean + share * new, climb.slope, slope)
        return _Climb(moved, state, best, jnp.maximum(value, climb.value), height, mean_slope), None

    worst = jnp.full_like(objective(plan), -jnp.inf)
    begin = _Climb(plan, optimiser.init(plan), plan, worst, jnp.zeros_like(worst), jax.tree.map(jnp.zeros_like, plan))
    end, _ = jax.lax.scan(step, begin, jnp.arange(num_steps))
    return Summit(end.best, end.value, end.height + _over_plan(jax.tree.map(jnp.abs, end.slope)))


def _over_plan(plan: Any) -> Array:
    """`[E]`: the sum of all that a plan holds for each episode."""
    return sum((jnp.sum(x, axis=range(x.ndim - 1)) for x in jax.tree.leaves(plan)), jnp.zeros(()))
