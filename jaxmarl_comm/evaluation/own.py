"""What a task measures of its own, beside returns and success."""

from __future__ import annotations

import jax
import numpy as np

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.judgement import judgement
from jaxmarl_comm.evaluation.episodes import Episodes, starts
from jaxmarl_comm.evaluation.stats import Estimate, over_seeds

Array = jax.Array


def in_own_units(env: Env, returns: np.ndarray) -> dict[str, Estimate]:
    """Each of `Env.measures`, from returns `[seeds, episodes, T]`; none where sides compete."""
    if len(env.team_names) > 1:
        return {}
    return {name: over_seeds(factor * returns[..., 0]) for name, factor in env.measures.items()}


def judged(env: Env, batch: Batch, key: Array, *played: Episodes) -> list[dict[str, Estimate]]:
    """What `Env.judge` says of each of several plays `[seeds, E, ...]` of the episodes that `key` starts."""
    if type(env).judge is Env.judge:
        return [{} for _ in played]
    state = jax.device_get(jax.jit(lambda key: batch.unshared(starts(batch, key)[0]))(key))
    returns = np.concatenate([episodes.returns for episodes in played])
    found = judgement(env, state, returns)
    ends = np.cumsum([len(episodes.returns) for episodes in played])[:-1]
    each: list[dict[str, Estimate]] = [{} for _ in played]
    for name, values in found.items():
        for estimates, own in zip(each, np.split(values, ends), strict=True):
            estimates[name] = over_seeds(own[:, np.isfinite(values).any(axis=0)])
    return each
