"""Parameters of all agents' networks, and whose they are: a module's name begins with a group's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxmarl_comm.envs.base import Env

Params = Any


def owner(env: Env, module: str) -> str:
    """The group that a module of this name belongs to."""
    return max((group for group in env.groups if module.startswith(f"{group}_")), key=len)


def by_team(env: Env, params: Params) -> tuple[Params, ...]:
    """The parameters of each team, of those of all agents' networks."""
    modules = params["params"]
    teams = {name: env.group_teams[owner(env, name)] for name in modules}
    return tuple(
        {"params": {name: module for name, module in modules.items() if teams[name] == team}}
        for team in range(len(env.team_names))
    )


def together(parts: Sequence[Params]) -> Params:
    """The inverse of `by_team`; also of parts of a network that share no module."""
    return {"params": {name: module for params in parts for name, module in params.get("params", {}).items()}}
