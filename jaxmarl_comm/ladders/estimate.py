"""Means over all starts from few planned episodes, by control variates: what is known of many more starts."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.assignment import own_places
from jaxmarl_comm.envs.mpe.places import TakePlaces
from jaxmarl_comm.envs.mpe.simple_spread import SimpleSpread
from jaxmarl_comm.envs.mpe.task import MPETask, distances
from jaxmarl_comm.envs.mpe.world import WorldState, norm
from jaxmarl_comm.ladders.play import draw, movers

Array = jax.Array

MANY = 2**18  # starts whose features are averaged
AT_ONCE = 2**14
CLOSE = 0.3  # distance at which agents of simple_spread touch


class Mean(NamedTuple):
    """An estimate, and its standard error."""

    value: float
    error: float


def cell(mean: Mean | None) -> str:
    """`-7.360 ± 0.012`."""
    return f"{'-':>17}" if mean is None else f"{mean.value:9.3f} ± {mean.error:.3f}"


def mean_over_starts(values: np.ndarray, features: np.ndarray, of_many: np.ndarray) -> Mean:
    """The mean of numbers `[E]` over all starts, of which features `[E, F]` explain a part; of_many: `[M, F]`.

    values = features · weights + rest, by least squares; the first part is averaged over the many starts. The error is
    that of both parts (regression estimator; Cochran 1977, chapter 7).
    """
    centre = of_many.mean(axis=0)
    design = np.concatenate([np.ones((len(values), 1)), features - centre], axis=1)
    weights = np.linalg.lstsq(design, values, rcond=None)[0]
    rest = values - design @ weights
    variance = np.sum(rest**2) / (len(values) - design.shape[1]) / len(values)
    return Mean(float(weights[0]), float(np.sqrt(variance + np.var((of_many - centre) @ weights[1:]) / len(of_many))))


def features_of_many(env: MPETask, key: Array) -> np.ndarray:
    """`[M, F]`, of MANY starts. The key is consumed."""
    some = jax.jit(lambda key: features(env, draw(env, key, AT_ONCE)))
    return np.concatenate([np.asarray(some(k), float) for k in jax.random.split(key, MANY // AT_ONCE)])


def features(env: MPETask, starts: WorldState) -> Array:
    """`[E, F]`: of each start, what tells most of a return: how far it is to go, and how crowded it is."""
    return jax.vmap(partial(_features, env), in_axes=-1)(starts)


def _features(env: MPETask, state: WorldState) -> Array:
    ways = to_go(env, state)
    x, y = jnp.abs(ways[:, 0]), jnp.abs(ways[:, 1])
    far = norm(ways)
    from_centre = norm(state.pos[np.array(movers(env))] - jnp.mean(state.landmarks, axis=0))
    means = (far, far**2, far**3, x * y, jnp.maximum(x, y), x**4 + y**4, (x * y) ** 2, from_centre, from_centre**2)
    return jnp.stack([*map(jnp.mean, means), jnp.max(far), _crowding(state.landmarks), _crowding(state.pos)])


def _crowding(pos: Array) -> Array:
    """`[]`: how many pairs are near each other."""
    return jnp.sum(jnp.exp(-((distances(pos, pos) / CLOSE) ** 2)))


def to_go(env: MPETask, state: WorldState) -> Array:
    """`[k, 2]`: the ways of all who move to all goals; or to the places that agents would take."""
    pos = state.pos[np.array(movers(env))]
    if hasattr(env, "targets"):
        return (state.landmarks - pos[:, None]).reshape(-1, 2)
    assert isinstance(env, SimpleSpread | TakePlaces)
    return own_places(pos, env.posts(state)) - pos
