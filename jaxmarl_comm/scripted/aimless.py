"""Sides that want nothing: they stand still, or do anything."""

from __future__ import annotations

from typing import Any

import jax

from jaxmarl_comm.envs.base import ActionSpace, Env
from jaxmarl_comm.scripted.moves import Array, Moves, actions_of, can, groups_of


def stay(env: Env, team: int) -> Moves | None:
    """Nobody moves; for teams that could."""

    def moves(key: Array, state: Any, obs: dict[str, Array]) -> dict[str, Array]:
        return actions_of(env, team, obs, {})

    return moves if can(env, team, "move") else None


def random(env: Env, team: int) -> Moves:
    """Uniformly random actions."""

    def moves(key: Array, state: Any, obs: dict[str, Array]) -> dict[str, Array]:
        groups = groups_of(env, team)
        keys = jax.random.split(key, len(groups))
        return {g: draw(k, env.action_spaces[g], obs[g].shape[:-1]) for g, k in zip(groups, keys, strict=True)}

    return moves


def draw(key: Array, space: ActionSpace, shape: tuple[int, ...]) -> Array:
    """Random actions of this batch shape. The key is consumed."""
    if space.continuous:
        return jax.random.uniform(key, (*shape, space.dim))
    return jax.random.randint(key, shape, 0, space.n)
