"""Who is crossed: the seeds of finished runs, and scripted sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config, differing_keys
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import Actor
from jaxmarl_comm.evaluation.sides import learned_actor
from jaxmarl_comm.registry import ALGORITHMS
from jaxmarl_comm.run_folder import RunError, RunFolder, task_differences
from jaxmarl_comm.runner import Runner, teams_of
from jaxmarl_comm.trees import is_finite, unstack

ACTING = ("agent_groups", "opponents", "comm", "net", "hidden_dim", "share_params", "actor_id")
"""Settings that say who acts, and shape networks and channel; all others are about the task or about learning."""

Kind = Callable[[Any], Actor]
"""Parameters -> whoever acts by them."""


class Trained(NamedTuple):
    """A run. path: as given. name: as shown. shapes: of a team's arrays.

    teams: seed -> the team that it trained; seeds that diverged have none.
    """

    path: Path
    name: str
    cfg: Config
    env: Env
    algorithm: Algorithm
    iteration: int
    shapes: Any
    teams: dict[int, Any]

    @property
    def diverged(self) -> list[int]:
        """Seeds whose parameters are not finite."""
        return [seed for seed in range(self.cfg.num_seeds) if seed not in self.teams]

    def described(self) -> dict[str, Any]:
        """As it is told."""
        names = {"name": self.name, "run": str(self.path)}
        return names | {"iteration": self.iteration, "seeds": list(self.teams), "diverged": self.diverged}


class Entry(NamedTuple):
    """One row, or column. run, seed: where it is from, None if it is scripted.

    told: whether it knows what its agents cannot. kind, params: how it acts; entries of the same kind differ in their
    parameters alone, so that one program plays them all.
    """

    name: str
    run: Path | None
    seed: int | None
    told: bool
    kind: Kind
    params: Any

    def described(self) -> dict[str, Any]:
        """As it is told."""
        return {"name": self.name, "run": self.run and str(self.run), "seed": self.seed, "told": self.told}


def learned(batch: Batch, env: Env, algorithm: Algorithm) -> Kind:
    """Those who act greedily by what they learned in `env`: see `learned_actor`."""
    return lambda team: learned_actor(batch, env, algorithm, team, greedy=jnp.array(True))


def load_runs(paths: Sequence[Path], tell: Callable[[str], None]) -> list[Trained]:
    """All runs, of one task. Raises RunError if they are not, or if one cannot be read."""
    if len({RunFolder.open(path)[0].path.resolve() for path in paths}) < len(paths):
        raise RunError(f"a run is named twice among {', '.join(map(str, paths))}")
    folders = Counter(path.resolve().name for path in paths)
    runs = []
    for path in paths:
        name = path.resolve().name
        runs.append(load_run(path, name if folders[name] == 1 else str(path)))
        check_same_task(runs[0], runs[-1])
        tell(describe(runs[-1]))
    if not any(run.teams for run in runs):
        raise RunError("all seeds diverged: there is nobody to cross")
    return runs


def load_run(path: Path, name: str) -> Trained:
    """The teams of a run's newest checkpoint. Raises RunError."""
    folder, cfg = RunFolder.open(path)
    runner = Runner(cfg, folder)
    state, record = runner.load()
    teams = unstack(teams_of(runner.algorithm, state))
    healthy = {seed: team for seed, team in enumerate(teams) if is_finite(team)}
    shapes = jax.tree.map(jnp.shape, teams[0])
    return Trained(path, name, cfg, runner.env, runner.algorithm, record.iteration, shapes, healthy)


def describe(run: Trained) -> str:
    """What of a run is crossed, in a line."""
    unfinished = f" of {run.cfg.num_iters}" if run.iteration < run.cfg.num_iters else ""
    skipped = f"; skipped, as they diverged: seeds {', '.join(map(str, run.diverged))}" if run.diverged else ""
    return f"{run.name}: {len(run.teams)} seed(s) after iteration {run.iteration}{unfinished}{skipped}"


def check_same_task(one: Trained, other: Trained) -> None:
    """Raises RunError unless both were trained on the same task with the same arguments."""
    if differing := task_differences(one.cfg, other.cfg):
        raise RunError(f"{other.path} was trained on another task than {one.path}: {', '.join(differing)} differ")


def act_differently(one: Trained, other: Trained) -> list[str]:
    """Settings in which the networks or the channels of two runs differ; empty if one program acts for both."""
    differing = [key for key in differing_keys(one.cfg, other.cfg) if key.partition(".")[0] in ACTING]
    if ALGORITHMS[one.cfg.algorithm].make != ALGORITHMS[other.cfg.algorithm].make:
        differing.append("algorithm")
    if one.cfg.silent_teams(one.env) != other.cfg.silent_teams(other.env):
        differing.append("teams.*.channel")
    return differing or ([] if one.shapes == other.shapes else ["shapes of parameters"])


def seeds_of(runs: Sequence[Trained], kinds: Sequence[Kind], side: str | None = None) -> list[Entry]:
    """An entry for each seed of each run, or of each that has trained this side. kinds: of each run."""
    return [
        Entry(f"{run.name} s{seed}", run.path, seed, False, kind, team)
        for run, kind in zip(runs, kinds, strict=True)
        for seed, team in run.teams.items()
        if side is None or side in run.env.team_names
    ]
