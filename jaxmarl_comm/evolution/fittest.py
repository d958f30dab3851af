"""The fittest member of each population as a run like any other: to be evaluated, watched, loaded, trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxmarl_comm.algorithms.hyperparams import number
from jaxmarl_comm.checkpoint import Checkpoints
from jaxmarl_comm.config import Config, build_config
from jaxmarl_comm.dotted import merge
from jaxmarl_comm.evolution.population import Population, score
from jaxmarl_comm.evolution_config import whole
from jaxmarl_comm.opponents.copies import load_copies, save_copies
from jaxmarl_comm.run_folder import RunFolder

if TYPE_CHECKING:
    from jaxmarl_comm.evolution.run import PopulationRunner

OF_POPULATIONS = ("fitness", "fitness_mean", "parent", "mutation")


def fittest_config(cfg: Config, done: int, state: Population) -> Config:
    """The config of such a run of `done` iterations: with the fittest member's hyperparameters, if there is but one.

    Where several populations have come to several, those of each are in the checkpoint alone.
    """
    values = {name: value for name, value in cfg.model_dump().items() if name != "evolution"} | {"num_iters": done}
    come_to: dict[str, Any] = {}
    if cfg.num_seeds == 1:
        fittest = int(np.argmax(score(state.fitness)[0]))
        numbers = {name: number(state.members.hparams, name)[fittest] for name in cfg.evolution.ranges_of(cfg)}
        come_to = {name: whole(shortest(x)) for name, x in numbers.items()}
    return build_config(merge(values, cfg.of_member(come_to)))


def shortest(x: Any) -> float:
    """A number of 32 bits in as few digits as tell it: .005, not .004999999888."""
    return float(str(np.float32(x)))


def create_fittest(
    runner: PopulationRunner, state: Population, places: np.ndarray, done: int, rows: list[dict[str, Any]]
) -> RunFolder:
    """The run folder of the members at these places `[S]`; if there is one, it is of this end, and stays as it is."""
    path, cfg = runner.folder.fittest, fittest_config(runner.cfg, done, state)
    if path.exists():
        return RunFolder.read(path)[0]
    members = runner.generations.members(state, places)

    def fill(draft: RunFolder) -> None:
        save_copies(draft.opponents, load_copies(cfg, runner.folder.opponents))
        for row in histories(rows, places, runner.cfg.evolution.population_size):
            draft.append_metrics(row)
        Checkpoints(draft.checkpoints).save(done, jax.device_get(members), cfg.model_dump(), runner.seconds)

    return RunFolder.create(path, cfg, fill)


def histories(rows: list[dict[str, Any]], places: np.ndarray, size: int) -> list[dict[str, Any]]:
    """What rows of metrics say of the members at these places `[S]` at the end, and of their ancestors before.

    size: of a population. Where a row tells `parent`, of a generation's end, the next row is of the descendants.
    """
    found, offsets = [], places - places % size
    for row in reversed(rows):
        if "parent" in row:
            places = offsets + np.array([int(row["parent"][place]) for place in places])
        own = {name: value for name, value in row.items() if not isinstance(value, list)}
        for name, values in row.items():
            if isinstance(values, list) and name not in OF_POPULATIONS and not name.startswith("member/"):
                own[name] = [values[place] for place in places]
        found.append(own)
    return found[::-1]
