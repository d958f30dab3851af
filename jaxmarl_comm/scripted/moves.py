"""What a scripted side is: the moves of one team, from the true state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxmarl_comm.envs.base import Env

Array = jax.Array

Moves = Callable[[Array, Any, dict[str, Array]], dict[str, Array]]
"""(key, state of a batch, group -> obs `[E, n, obs_dim]`) -> group -> actions `[E, n, ...]` of one team's groups."""
Maker = Callable[[Env, int], Moves | None]
"""(task, number of a team in it) -> how that team moves; None where it would mean nothing."""


def groups_of(env: Env, team: int) -> list[str]:
    """The groups that make up a team."""
    return [group for group, of in env.group_teams.items() if of == team]


def can(env: Env, team: int, factor: str) -> bool:
    """Whether the actions of anyone in the team have this factor, `move` or `say`."""
    return any(factor in dict(env.action_spaces[group].factors) for group in groups_of(env, team))


def actions_of(env: Env, team: int, obs: dict[str, Array], chosen: Mapping[str, Array]) -> dict[str, Array]:
    """The team's actions, from what all N agents choose: factor -> `[E, N]` indices, or `[E, N, size]` vectors.

    A factor that is not given is 0: not moving, and the first word (silence, if actions are continuous).
    """
    parts, actions = {name: env.split(x, axis=1) for name, x in chosen.items()}, {}
    for group in groups_of(env, team):
        space = env.action_spaces[group]
        given = {name: of_groups[group] for name, of_groups in parts.items() if name in dict(space.factors)}
        actions[group] = space.join(given, obs[group].shape[:-1])
    return actions
