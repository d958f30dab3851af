"""Numbers that a population may vary, and how they change over a run. Each algorithm has its own, beside its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.comm.channel import Channel, Numbers
from jaxmarl_comm.team_config import TeamConfig

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config

Array = jax.Array


def of_config(kind: Any, cfg: Config) -> Any:
    """Those of the config. kind: of an algorithm, a named tuple of `[]` each, with `comm`."""
    comm = Numbers(*(jnp.asarray(getattr(cfg.comm, name), float) for name in Numbers._fields))
    own = {name: getattr(cfg, name) for name in kind._fields if name != "comm"}
    if "critic_lr" in own:
        own["critic_lr"] = own["critic_lr"] or cfg.lr
    return kind(**{name: jnp.asarray(x, float) for name, x in own.items()}, comm=comm)


def varied(cfg: Config, channel: Channel, hparams: Any, changes: Mapping[str, Array]) -> Any:
    """The hyperparameters with these changes, each as the one that it replaces; `comm.loss` is a name.

    A new lr is also the critics', unless they have their own. Raises ValueError for what is no hyperparameter, or
    belongs to a stage that the config has left out.
    """
    check_varied(cfg, channel, changes)
    numbers = {name: jnp.asarray(value, float) for name, value in changes.items()}
    of_comm = {name.removeprefix("comm."): x for name, x in numbers.items() if name.startswith("comm.")}
    own: dict[str, Any] = {name: x for name, x in numbers.items() if not name.startswith("comm.")}
    if "lr" in own and hasattr(cfg, "critic_lr") and cfg.critic_lr is None:
        own = {"critic_lr": own["lr"], **own}
    return hparams._replace(comm=hparams.comm._replace(**of_comm), **own)


def check_varied(cfg: Config, channel: Channel, names: Iterable[str]) -> None:
    """Raises ValueError for a name that is no hyperparameter of the algorithm, or of a stage that is left out."""
    known = set(cfg.varied) | {f"comm.{name}" for name in Numbers._fields}
    for name in names:
        if name not in known:
            raise ValueError(f"'{name}' cannot be varied; what can is {', '.join(sorted(known))}")
        if name.startswith("comm.") and not channel.uses(name.removeprefix("comm.")):
            raise ValueError(f"{name} cannot be varied: the config's channel has no stage that reads it")


def number(hparams: Any, name: str) -> Array:
    """One of the hyperparameters, by the name that `varied` takes."""
    section, _, inner = name.rpartition(".")
    found: Array = getattr(hparams.comm if section else hparams, inner)
    return found


def present(cfg: Config, teams: Sequence[str], hparams: Any, progress: Array) -> Any:
    """The hyperparameters as their schedules have them at this progress, from 0 to 1: critics' lr falls as all lr does.

    What a team may have of its own (lr, critic_lr, ent_coef) is `[teams]`.
    """
    now = {}
    for name in hparams._fields:
        of_all, scheduled = getattr(hparams, name), "lr" if name == "critic_lr" else name
        value = of_teams(cfg, teams, name, of_all) if name in TeamConfig.model_fields else of_all
        if hasattr(cfg, f"{scheduled}_schedule"):
            value *= left(getattr(cfg, f"{scheduled}_schedule"), getattr(cfg, f"{scheduled}_end"), progress)
        now[name] = value
    return hparams._replace(**now)


def of_teams(cfg: Config, teams: Sequence[str], name: str, of_all: Array) -> Array:
    """`[teams]`: a team's own number, or that of all."""
    alike = getattr(cfg, "critic_lr", None) is None
    own = [(settings := cfg.teams.get(team)) and settings.number(name, alike) for team in teams]
    return jnp.stack([of_all if x is None else jnp.asarray(x, float) for x in own])


def left(schedule: str, end: float, progress: Array) -> Array:
    """The share of a number that is left: 1 at progress 0 and, unless constant, `end` at 1: linear, or as a cosine."""
    if schedule == "constant":
        return jnp.ones(())
    fallen = {"linear": progress, "cosine": (1 - jnp.cos(jnp.pi * progress)) / 2}[schedule]
    return end + (1 - end) * (1 - fallen)
