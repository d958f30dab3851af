"""How far apart two of an agent's action distributions are, in measures that have a bound.

Positive listening, as papers define it, is that some message moves the policy at all: in any distance (Lowe et al.
2019), in the L1 norm (Eccles et al. 2019), which is twice the total variation. A Kullback-Leibler divergence has no
bound: between policies that are almost certain, it measures how large their logits are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.comm import metrics
from jaxmarl_comm.distributions import ActionDistribution

Array = jax.Array

NOTICEABLE = 0.05  # of the range [0, 1] of a number of a continuous action


class Distance(NamedTuple):
    """`[...]` each, exactly 0 between equal distributions, NaN where one is not finite.

    tv: total variation, 0 to 1, how much probability is on other actions. js: Jensen-Shannon divergence, nats, 0 to
    ln 2. changed: 1 if the greedy action is another (of continuous ones: a number of it NOTICEABLE apart), else 0.
    Points, of policies without chance, are as far apart as can be where the action has changed: tv 1, js ln 2.
    """

    tv: Array
    js: Array
    changed: Array


def distances(factors: dict[str, Any], shape: tuple[int, int, int], continuous: bool, key: Array) -> Distance:
    """`[C, E, n]`: of the first of C distributions from each, of which `factors` are stacked. shape: (C, E, n).

    Exact of discrete actions, over all their factors together, and of points; of other continuous ones the mean over
    cells is unbiased, from one draw of each distribution. The key is consumed.
    """
    if not jax.tree.leaves(factors):  # of agents without choice
        return Distance(*[jnp.zeros(shape)] * 3)

    def draw(each: dict[str, Any]) -> dict[str, Array]:
        return ActionDistribution(each, shape[1:]).sample(key) if continuous else {}

    draws = jax.vmap(draw)(factors)
    first, of_first = jax.tree.map(lambda x: x[0], (factors, draws))

    def from_first(each: dict[str, Any], of_each: dict[str, Array]) -> Distance:
        p, q = ActionDistribution(first, shape[1:]), ActionDistribution(each, shape[1:])
        if p.is_certain:
            return _certain(p, q)
        return _continuous(p, q, [of_first, of_each]) if continuous else _discrete(p, q)

    found: Distance = jax.vmap(from_first)(factors, draws)
    moved = [jnp.any(x != x[0], axis=tuple(range(3, x.ndim))) for x in jax.tree.leaves(factors)]
    return jax.tree.map(lambda x: jnp.where(jnp.any(jnp.array(moved), axis=0), x, 0.0), found)  # not up to rounding


def _discrete(p: ActionDistribution, q: ActionDistribution) -> Distance:
    of_p, of_q = p.joint_probs(), q.joint_probs()
    tv = metrics.total_variation(of_p, of_q)
    changed = of_p.argmax(axis=-1) != of_q.argmax(axis=-1)
    return Distance(tv, metrics.jensen_shannon(of_p, of_q), jnp.where(jnp.isfinite(tv), changed, jnp.nan))


def _continuous(p: ActionDistribution, q: ActionDistribution, draws: list[dict[str, Array]]) -> Distance:
    log_odds = jnp.stack([p.log_prob(x) - q.log_prob(x) for x in draws])
    tv = metrics.sampled_total_variation(log_odds)
    return Distance(tv, metrics.sampled_jensen_shannon(log_odds), jnp.where(jnp.isfinite(tv), _moved(p, q), jnp.nan))


def _certain(p: ActionDistribution, q: ActionDistribution) -> Distance:
    changed = _moved(p, q)
    return Distance(changed, jnp.log(2.0) * changed, changed)


def _moved(p: ActionDistribution, q: ActionDistribution) -> Array:
    """`[...]`: 1 where a number of the greedy action is NOTICEABLE apart, else 0; NaN where one is not finite."""
    steps = jnp.concatenate([p.mode()[name] - q.mode()[name] for name in p.factors], axis=-1)
    return jnp.where(jnp.isfinite(steps).all(axis=-1), jnp.any(jnp.abs(steps) >= NOTICEABLE, axis=-1), jnp.nan)
