"""Taking a side out of a finished run, to be the opponent of a new one."""

from __future__ import annotations

from pathlib import Path

from jaxmarl_comm.config import Config
from jaxmarl_comm.crossing.competing import check_apart
from jaxmarl_comm.crossing.entries import Trained, load_run
from jaxmarl_comm.opponents.copies import frozen_opponents, save_copies
from jaxmarl_comm.opponents.frozen import Frozen
from jaxmarl_comm.run_folder import RunError, RunFolder, task_differences


def create_run(path: Path, cfg: Config) -> RunFolder:
    """A new run folder, with its config and copies of its opponents. Raises RunError."""
    taken = {team: take(cfg, team, place) for team, place in frozen_opponents(cfg).items()}
    return RunFolder.create(path, cfg, lambda draft: save_copies(draft.opponents, taken))


def take(cfg: Config, team: str, place: str) -> Frozen:
    """Who is to play the team in a run of `cfg`: `runs/NAME`, or `runs/NAME:2` for another seed than the first.

    Raises RunError, in one line that begins with the setting, unless there is such a seed of a finished run of the
    same task whose side can be taken apart.
    """
    path, seed = split_place(place)
    try:
        run = load_run(path, str(path))
        check_finished(run)
        check_apart([run])
        check_seed(run, seed)
        if team not in run.env.team_names:
            raise RunError(f"{path} has trained {run.env.team_names[0]} alone, so it has nobody to play {team}")
        if differing := task_differences(cfg, run.cfg):
            raise RunError(f"{path} was trained on another task: {', '.join(differing)} differ")
    except RunError as error:
        raise RunError(f"opponents.{team} is {place}: {error}") from None
    return Frozen(run.cfg, run.iteration, run.teams[seed])


def split_place(place: str) -> tuple[Path, int]:
    """`runs/NAME:2` as folder and seed, which is 0 if it is not given."""
    path, _, seed = place.rpartition(":")
    return (Path(path), int(seed)) if path and seed.isascii() and seed.isdecimal() else (Path(place), 0)


def check_finished(run: Trained) -> None:
    """Raises RunError for a run that is to go on."""
    if run.iteration < run.cfg.num_iters:
        raise RunError(f"{run.path} has done {run.iteration} of {run.cfg.num_iters} iterations; --resume it first")


def check_seed(run: Trained, seed: int) -> None:
    """Raises RunError unless the run has this seed, and it did not diverge."""
    last = run.cfg.num_seeds - 1
    if seed > last:
        raise RunError(f"there is no seed {seed}: those of {run.path} are 0{f' to {last}' * (last > 0)}")
    if seed in run.diverged:
        raise RunError(f"seed {seed} of {run.path} diverged")
