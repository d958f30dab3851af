"""Parameters of all agents' networks, and whose they are: a module's name begins with a group's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxmarl_comm.envs.base import Env

Params = Any


def by_team(env: Env, params: Params) -> tuple[Params, ...]:
    """The parameters of each team, of those of all agents' networks."""
    modules = params["params"]
    owner = {name: max((g for g in env.groups if name.startswith(f"{g}_")), key=len) for name in modules}
    return tuple(
        {"params": {name: module for name, module in modules.items() if env.group_teams[owner[name]] == team}}
        for team in range(len(env.team_names))
    )


def together(parts: Sequence[Params]) -> Params:
    """The inverse of `by_team`; also of parts of a network that share no module."""
    return {"params": {name: module for params in parts for name, module in params.get("params", {}).items()}}
