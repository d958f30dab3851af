"""What a script or a notebook calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, as_config, default_cfg
from jaxmarl_comm.crossing.run import run_crossplay
from jaxmarl_comm.envs.foreign.failure import told_in_one_line
from jaxmarl_comm.evaluation.control import Control
from jaxmarl_comm.evolution.run import Evolved, evolve_run
from jaxmarl_comm.exploiting.folder import ExploitFolder, is_exploit
from jaxmarl_comm.exploiting.plan import BOTH
from jaxmarl_comm.exploiting.run import begin_exploit, run_exploit
from jaxmarl_comm.film.gif import gif
from jaxmarl_comm.film.of_run import film_of
from jaxmarl_comm.interrupts import parting
from jaxmarl_comm.memory import check_memory, within_memory
from jaxmarl_comm.opponents.taking import create_run
from jaxmarl_comm.page.making import report_on
from jaxmarl_comm.page.replay import film_page
from jaxmarl_comm.run_folder import RunError, RunFolder, new_file
from jaxmarl_comm.runner import Runner, TrainResult, load_control, train
from jaxmarl_comm.saved import LATEST
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.study.config import StudyConfig, build_study, programs
from jaxmarl_comm.study.folder import StudyFolder
from jaxmarl_comm.study.run import run_study
from jaxmarl_comm.tracking.following import Follow, follower

__all__ = [
    "crossplay",
    "default_cfg",
    "evaluate",
    "evolve",
    "exploit",
    "make_report",
    "replay",
    "resume",
    "train_study",
    "train_wrapper",
]

Run = str | Path | TrainResult | Evolved
"""A finished or interrupted run: its folder, or what `train_wrapper` or `evolve` returned."""


def train_wrapper(
    cfg: Config | Mapping[str, Any], run_dir: str | Path | None = None, wandb: bool | str = False
) -> TrainResult:
    """Train and evaluate what the config says, leaving everything in a new run folder (`runs/<task>-<time>`).

    cfg: or a dictionary of what differs from the defaults, `{"env.name": "simple_spread_v3", "num_iters": 100}`.
    wandb: whether Weights & Biases follows, offline unless WANDB_MODE says online; or the name of its project.
    Raises ConfigError for settings that cannot be or do not fit into memory; RunError if the folder exists (`resume`
    goes on with it) or cannot be written, if training diverges, or if wandb is asked for and cannot be used.
    """
    cfg = as_config(cfg)
    follow = _follower(cfg, wandb)
    if cfg.evolves:
        return evolve(cfg, run_dir).fittest
    folder = _new_run(cfg, run_dir)
    with follow(folder, cfg):
        return train(cfg, folder)


def evolve(cfg: Config | Mapping[str, Any], run_dir: str | Path | None = None) -> Evolved:
    """Train and evolve `evolution.population_size` members for each seed, and evaluate the fittest of each.

    `evolve({"evolution.population_size": 16, "evolution.ranges": {"lr": [1e-4, 1e-1]}})`. The population is left in a
    new run folder, and the fittest members in the run folder `fittest` inside, which every other function takes.
    Raises as `train_wrapper`, and ConfigError where there is no population.
    """
    cfg = as_config(cfg)
    if not cfg.evolves:
        raise ConfigError("there is nothing to evolve: evolution.population_size is 1")
    return evolve_run(cfg, _new_run(cfg, run_dir))


def _follower(cfg: Config, wandb: bool | str) -> Follow:
    """Raises ConfigError for a population, whose members would be as many runs; RunError: see `follower`."""
    if wandb and cfg.evolves:
        raise ConfigError("wandb follows a run, not a population: export its fittest members once they are known")
    return follower(wandb)


def _new_run(cfg: Config, run_dir: str | Path | None) -> RunFolder:
    check_memory(cfg)
    return create_run(Path(run_dir) if run_dir else RunFolder.default_path(cfg.env.name), cfg)


def resume(
    run: Run, changes: Config | Mapping[str, Any] | None = None, *, wandb: bool | str = False, **more: Any
) -> TrainResult:
    """Go on with an interrupted run, or longer with a finished one: `resume("runs/words", num_iters=1_000)`.

    What was learned must stay true, so only num_iters may change, to a larger number, and how often to log, save and
    evaluate. wandb: see `train_wrapper`. Raises RunError if `run` is not a run folder or cannot go on so,
    CheckpointError if it is damaged.
    """
    wanted = changes.replace(more) if isinstance(changes, Config) else {**(changes or {}), **more}
    folder, cfg = RunFolder.resume(_path(run), wanted)
    follow = _follower(cfg, wandb)
    check_memory(cfg)
    if cfg.evolves:
        return evolve_run(cfg, folder).fittest
    with follow(folder, cfg):
        return train(cfg, folder)


@told_in_one_line()
def evaluate(
    run: Run,
    episodes: int | None = None,
    episodes_reference: int | None = None,
    seed: int | None = None,
    control: str | Path | None = None,
    output: str | Path | None = None,
    checkpoint: str | int = LATEST,
    env: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Evaluate a checkpoint of a run; write and return what `evaluation.json` holds, with its seed and episodes.

    episodes: in our environment, episodes_reference: in its reference implementation, seed: of the episodes; each as in
    training if None.
    control: a finished run of silent agents on the same task, to tell what talk is worth; the run's own if None,
    unless that is unfinished, which is said.
    output: a JSON file; `evaluation-1.json` in the run's folder, or the first number that is free, if None.
    checkpoint: `latest`, `best` (by short greedy evaluations in training) or an iteration that is kept.
    env: arguments of the task that are to be others than the run's, `{"max_cycles": 50}`.
    Raises ConfigError for numbers or arguments that cannot be, RunError if `run` is not a run folder, has no such
    checkpoint or the output exists, CheckpointError if its checkpoint is damaged.
    """
    folder, cfg = RunFolder.open(_path(run))
    asked = {"eval_episodes": episodes, "eval_episodes_reference": episodes_reference, "seed": seed}
    changed = cfg.replace({name: value for name, value in asked.items() if value is not None})
    changed = changed.judged_with(env) if env else changed
    check_memory(changed)
    paths = [new_file(Path(output), ".json")] if output else folder.numbered("evaluation", ".json")
    runner = Runner(cfg, folder)
    teams, record = runner.load_teams(checkpoint)
    compared = load_control(Path(control), runner) if control else _own_control(runner)
    with within_memory(changed):
        return runner.evaluate(teams, record.iteration, changed, paths, compared)


@told_in_one_line()
def train_study(
    study: StudyConfig | Mapping[str, Any] | str | Path, run_dir: str | Path | None = None
) -> list[dict[str, Any]]:
    """Train several protocols, or other variants of a run, and compare them; return the rows of results.json.

    study: what the files of `configs/studies/` say, as a dictionary; or the folder of a study that was interrupted, to
    go on with it. run_dir: a new folder, for the rows, a table and a picture; `runs/study-<time>` if None.
    Raises ConfigError for settings that cannot be or do not fit into memory; RunError if the folder exists or cannot
    be written, or if there is no such study.
    """
    if isinstance(study, str | Path):
        folder, planned = StudyFolder.open(Path(study))
    else:
        planned = study if isinstance(study, StudyConfig) else build_study(study)
        for program in programs(planned):
            check_memory(program.cfg, len(program.values))
        folder = StudyFolder.create(Path(run_dir) if run_dir else RunFolder.default_path("study"), planned)
    with folder.locked(), parting(f"stopped; what is done is kept: go on with --resume {folder.path}"):
        return run_study(planned, folder)


@told_in_one_line()
def crossplay(
    runs: Run | Sequence[Run], episodes: int = 1_000, seed: int | None = None, output: str | Path | None = None
) -> dict[str, Any]:
    """All seeds of one or more runs against each other, or with each other; write and return crossplay.json.

    Where sides compete, every good team plays every adversary, the task's scripted sides among them: matrices of both
    sides' returns, what each does on average and at worst, the advantage of knowing one's training partner, and Nash
    averages. Where agents cooperate, some act by one seed and some by another: what they lose among strangers.

    episodes: in each cell, from common starts, greedily. seed: of the episodes, the first run's if None. output: a new
    folder, for the numbers and a picture; `crossplay-1` in the first run's folder, or the first number that is free,
    if None. Raises ConfigError for numbers that cannot be; RunError if a run is none, if they are of different tasks or
    cannot be crossed, or if the output exists; CheckpointError if a checkpoint is damaged.
    """
    several = [runs] if isinstance(runs, str | Path | TrainResult | Evolved) else list(runs)
    if not several:
        raise RunError("there is no run to cross")
    return run_crossplay([_path(run) for run in several], episodes, seed, Path(output) if output else None)


def exploit(
    run: Run,
    changes: Mapping[str, Any] | None = None,
    *,
    side: str = BOTH,
    seeds: int = 3,
    of_seeds: Sequence[int] | None = None,
    output: str | Path | None = None,
    **more: Any,
) -> dict[str, Any]:
    """How much can be taken from the sides of a finished run, at the least; write and return what exploit.json holds.

    Each side of each seed is held as it is, and fresh responses to it are trained: `exploit("runs/x", num_iters=100)`.
    The best of them, chosen in other episodes than those that are told of, meets the side in place of its own partner.

    run: or the folder of an exploit that was interrupted, to go on with it as it was begun. changes, more: of the
    run's config, for those who respond. side: one of the task's, or both. seeds: responses to each. of_seeds: the
    run's, all if None. output: a new folder, `exploit-1` in the run's, or the first number that is free, if None.
    Raises ConfigError for settings that cannot be; RunError if there is no such run, side or seed, if it is unfinished
    or its agents cooperate, or if training stops; CheckpointError if a checkpoint is damaged.
    """
    path, changes = _path(run), {**(changes or {}), **more}
    if not is_exploit(path):
        folder = begin_exploit(path, side, seeds, of_seeds, changes, Path(output) if output else None)
    elif (side, seeds, of_seeds, output) != (BOTH, 3, None, None) or changes:
        raise RunError(f"{path} is an exploit, which goes on as it was begun: leave the settings away")
    else:
        folder = ExploitFolder(path)
    return run_exploit(folder)


def replay(
    run: Run,
    seed: int = 0,
    episodes: int = 1_000,
    output: str | Path | None = None,
    checkpoint: str | int = LATEST,
) -> Path:
    """Films of the best, the median and the worst of so many greedy episodes, as one HTML page, whose path is returned.

    Each is shown as it is and, from the same start, with messages muted and shuffled, step by step: who is where, and
    who says what. seed: which of the run's seeds, from 0. output: a new .html file, or a new .gif of the median episode
    alone; if None, `replay-1.html` in the run's folder, or the first number that is free. checkpoint: as in `evaluate`.
    Raises ConfigError for numbers that cannot be; RunError if `run` is not a run folder, has no such seed or checkpoint
    or nothing to be seen, or if the output exists; CheckpointError if its checkpoint is damaged.
    """
    folder, cfg = RunFolder.open(_path(run))
    if not 0 <= seed < cfg.num_seeds:
        raise RunError(f"seed is {seed}, but {folder.path} has {cfg.num_seeds} (from 0 to {cfg.num_seeds - 1})")
    if episodes < 2:
        raise ConfigError(f"episodes is {episodes}, but must be at least 2")
    paths = [new_file(Path(output), ".html", ".gif")] if output else folder.numbered("replay", ".html")
    film, done = film_of(folder, cfg, seed, episodes, checkpoint)
    subtitle = (
        f"{folder.path.name}, seed {seed}, after {done} iterations of {cfg.algorithm}, "
        f"communication: {cfg.comm.preset}; greedy"
    )
    as_gif = output is not None and Path(output).suffix == ".gif"
    path = folder.write_new_file(paths, gif(film) if as_gif else film_page(film, cfg.env.name, subtitle))
    print(f"written to {path}" if as_gif else f"open {path} in a browser", flush=True)
    return path


def make_report(runs: Run | Sequence[Run], replays: bool = True, output: str | Path | None = None) -> Path:
    """All that there is to say of a run, finished or not, as one HTML page, whose path is returned.

    Several runs stand on one page side by side, with the settings in which they differ; so do the rows of a study,
    given its folder alone. replays: whether to play episodes to be watched; a run that cannot be played has none, which
    is said. output: a new .html file; if None, `report.html` in the run's folder, in place of what is there, or, of
    several runs, `report-1.html` in the first one's, or the first number that is free. Raises RunError if one is no run
    folder, if its files are damaged, or if the page cannot be written.
    """
    several = [runs] if isinstance(runs, str | Path | TrainResult | Evolved) else list(runs)
    if not several:
        raise RunError("there is no run to report on")
    return report_on([_path(run) for run in several], replays, Path(output) if output else None)


def _own_control(runner: Runner) -> Control | None:
    """The control in a run's own folder; None if there is none or if it cannot be used yet, which is said."""
    path = runner.folder.control
    try:
        return load_control(path, runner) if path.exists() else None
    except RunError as error:
        runner.console.say(f"evaluating without its own control: {error}")
        return None


def _path(run: Run) -> Path:
    return run.run_dir if isinstance(run, TrainResult | Evolved) else Path(run)
