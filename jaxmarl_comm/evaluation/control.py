"""The value of talk: a team's return less that of a trained silent team, on the same episodes.

A drop when muted is not that: a team that learned with messages never learned to do without.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config, ConfigError, differing_keys
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.messages import speakers_of
from jaxmarl_comm.evaluation.per_team import differences_of, returns_of, successes_of
from jaxmarl_comm.evaluation.plays import player
from jaxmarl_comm.evaluation.stats import rate_difference

Array = jax.Array


class Control(NamedTuple):
    """A trained silent team. teams: of all seeds, a leading axis on every array. source: its run folder."""

    cfg: Config
    algorithm: Algorithm
    teams: Any
    source: str


def check_control(cfg: Config, control: Config, source: str) -> None:
    """Raises ConfigError unless a run of `control` can be the silent control of a run of `cfg`."""
    if speakers_of(control, control.make_env()):
        raise ConfigError(f"control {source} is not silent: its comm.preset is {control.comm.preset}, not none")
    task, other = ((make_env(x.env.name, **x.env.arguments), x.opponents) for x in (cfg, control))
    if task != other:
        differing = [key for key in differing_keys(cfg, control) if key.startswith(("env.", "opponents"))]
        raise ConfigError(f"control {source} was trained on another task: {', '.join(differing)} differ")


def inequalities(cfg: Config, control: Control | None) -> list[str]:
    """Sentences about what, other than silence, sets a control apart from a run of `cfg`."""
    if control is None:
        return []
    found, its = [], control.cfg
    if its.env_steps < cfg.env_steps:
        found.append(
            f"control {control.source} was trained for {its.env_steps:,} steps against {cfg.env_steps:,}: talk may "
            "seem worth more than it is"
        )
    if its.train_env != cfg.train_env and its.make_train_env(its.make_env()) != cfg.make_train_env(cfg.make_env()):
        found.append(f"control {control.source} learned in another variant of the task: train_env differs")
    if its.num_seeds != cfg.num_seeds:
        found.append(f"control {control.source} has {its.num_seeds} seed(s) against {cfg.num_seeds}")
    return found


def compare(env: Env, batch: Batch, key: Array, greedy: Episodes, control: Control | None) -> dict[str, Any]:
    """`value_of_talk` in return and in success, and what the `control` itself reaches; None without one.

    greedy: `[seeds, E, ...]`, the episodes that `key` starts in the batch.
    """
    if control is None:
        names = (*env.per_team("value_of_talk"), *env.per_team("value_of_talk_success"), "control")
        return dict.fromkeys(names)
    silent = player(control.cfg, batch, control.algorithm, key)(control.teams, "greedy")
    few = min(np.isfinite(x.returns).all(axis=(1, 2)).sum() for x in (greedy, silent)) == 1
    return {
        **differences_of(env, greedy.returns, silent.returns, "value_of_talk"),
        **differences_of(env, greedy.success, silent.success, "value_of_talk_success", rate_difference),
        "control": {
            **returns_of(env, silent.returns),
            **successes_of(env, silent.success),
            "source": control.source,
            "env_steps": control.cfg.env_steps,
            "interval_over": "episodes" if few else "seeds",
        },
    }
