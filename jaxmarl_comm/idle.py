"""Settings that were given, though as the others are they do nothing. That is no mistake: one tries the others, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.net_config import GroupNetConfig
from jaxmarl_comm.team_config import TeamConfig

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

DETAILS: dict[str, tuple[str, tuple[str, ...]]] = {
    "bits": ("discretise", ("quantise",)),
    "temperature": ("discretise", ("gumbel",)),
    "temperature_end": ("discretise", ("gumbel",)),
    "dru_noise": ("discretise", ("dru",)),
    "gate_k": ("gate", ("top_k",)),
    "gate_every": ("gate", ("every_n",)),
    "route_k": ("route", ("nearest",)),
    "route_radius": ("route", ("radius",)),
    "heads": ("aggregate", ("attention", "hard_attention")),
    "key_dim": ("aggregate", ("attention", "hard_attention")),
}
"""Setting of the channel -> the stage that it is a detail of, and the choices there that it means something to."""


def hints(cfg: Config, env: Env) -> Iterator[str]:
    """One line for each: what does nothing, and why."""
    if cfg.comm.rounds:
        yield from of_channel(cfg)
    own = [cfg.net.groups.get(group, GroupNetConfig()).hidden or cfg.net.hidden for group in env.groups]
    if not cfg.is_default("hidden_dim") and all(own):
        yield "hint: hidden_dim does nothing: net.hidden says how wide each layer is"
    if not cfg.is_default("reward_mix") and not any(mixes(cfg, team) for team in env.team_names):
        yield "hint: reward_mix does nothing: no team whose reward_sharing is mixed goes by it"


def of_channel(cfg: Config) -> Iterator[str]:
    """The channel's: what a preset brings along was not given."""
    comm = cfg.comm
    usual = {name: field.default for name, field in type(comm).model_fields.items()} | PRESETS[comm.preset]
    for name, (stage, choices) in DETAILS.items():
        if getattr(comm, name) != usual[name] and getattr(comm, stage) not in choices:
            yield f"hint: comm.{name} does nothing: comm.{stage} is {getattr(comm, stage)}, not {' or '.join(choices)}"


def mixes(cfg: Config, team: str) -> bool:
    """Whether a team's rewards are mixed as all teams' are, and not in a way of its own."""
    return cfg.of_team(team, "reward_sharing") == "mixed" and cfg.teams.get(team, TeamConfig()).reward_mix is None
