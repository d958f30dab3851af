"""The copies of its opponents in a run's folder: so that it goes on as it began, whatever becomes of their own runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import jax

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.checkpoint import CheckpointError, Checkpoints
from jaxmarl_comm.config import Config, ConfigError, build_config
from jaxmarl_comm.envs.against import FOLDER_MARK, Against
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.files import RunError, check_folder
from jaxmarl_comm.opponents.frozen import Frozen, frozen_side
from jaxmarl_comm.run_folder import task_differences


def frozen_opponents(cfg: Config) -> dict[str, str]:
    """Team -> the folder of the run that plays it, with a seed; scripted sides are left out."""
    return {team: name for team, name in cfg.opponents.items() if FOLDER_MARK in name}


def save_copies(folder: Path, opponents: Mapping[str, Frozen]) -> None:
    """A checkpoint of each, by team. Raises OSError or CheckpointError."""
    for team, frozen in opponents.items():
        folder.mkdir(exist_ok=True)
        Checkpoints(folder / team).save(frozen.iteration, frozen.team, frozen.cfg.model_dump(), {})


def load_copies(cfg: Config, folder: Path) -> dict[str, Frozen]:
    """Team -> who plays it in a run of `cfg`. Raises RunError if there is none, CheckpointError if it is damaged."""
    check_folder(folder)
    return {team: _load_copy(cfg, folder / team) for team in frozen_opponents(cfg)}


def facing_copies(task: Env, cfg: Config, folder: Path) -> Env:
    """A variant of the task of a run of `cfg`, whose frozen opponent is the copy in this folder; itself without one."""
    copies = load_copies(cfg, folder)
    if not copies or not isinstance(task, Against):
        return task
    number = 1 - task.team
    team = task.task.team_names[number]
    return replace(task, side=frozen_side(cfg.opponents[team], task.task, number, copies[team]))


def _load_copy(cfg: Config, folder: Path) -> Frozen:
    checkpoints = Checkpoints(folder)
    if checkpoints.latest is None:
        raise RunError(f"{folder} holds no copy of the opponent that this run is against: it cannot be played")
    record = checkpoints.record(checkpoints.latest)
    try:
        own = build_config(record.config)
    except ConfigError as error:
        raise CheckpointError(f"{folder} is of a config that is unknown here: {error}") from None
    if differing := task_differences(cfg, own):
        raise RunError(f"{folder} was trained on another task: {', '.join(differing)} differ")
    algorithm = make_algorithm(own, own.make_env())
    like = jax.eval_shape(lambda key: algorithm.team(algorithm.init(key)), jax.random.key(0))
    return Frozen(own, record.iteration, checkpoints.load(record.iteration, like))
