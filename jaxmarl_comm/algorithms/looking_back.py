"""What policies go by, beside what they see now: how that has changed since the step before, and what they did then.

Views in a row, and the last action, are the field's means where a task does not show how it moves (Mnih et al. 2015,
Rashid et al. 2018). In MPE they tell how fast an agent is, as positions move with the velocity of the step before,
which the action then changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms.critics import action_vectors
from jaxmarl_comm.envs.base import Env

Array = jax.Array
ByGroup = dict[str, Array]


def nothing_before(env: Env, num_envs: int) -> ByGroup:
    """group -> `[E, n, 1 + obs_dim + action_dim]`, zeros: what agents have noted where an episode begins."""
    sizes = {g: 1 + env.obs_dims[g] + space.dim for g, space in env.action_spaces.items()}
    return {g: jnp.zeros((num_envs, len(where), sizes[g])) for g, where in env.groups.items()}


def noted(env: Env, obs: ByGroup, actions: ByGroup) -> ByGroup:
    """The same after a step: that there was one, what agents saw, and what they did, as vectors."""
    did = {g: action_vectors(env, g, actions[g]) for g in env.groups}
    return {g: jnp.concatenate([jnp.ones_like(obs[g][..., :1]), obs[g], did[g]], axis=-1) for g in env.groups}


def looking_back(obs: ByGroup, before: Mapping[str, Array]) -> ByGroup:
    """group -> `[..., n, 2 obs_dim + 1 + action_dim]`: obs, how it has changed, whether it could, and what was done.

    before: as `noted`; obs stay as they are where it is empty. A change, as two views of which a network would have to
    learn how little they differ.
    """
    return {g: _beside(x, before[g]) for g, x in obs.items()} if before else obs


def _beside(now: Array, before: Array) -> Array:
    was_one, then, did = jnp.split(before, [1, 1 + now.shape[-1]], axis=-1)
    return jnp.concatenate([now, was_one * (now - then), was_one, did], axis=-1)
