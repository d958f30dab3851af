"""Command lines of `scripts/`: parse, call, and turn a user's mistake into one line and a non-zero exit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from os.path import exists
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, build_config, load_config
from jaxmarl_comm.dotted import merge
from jaxmarl_comm.interrupts import exit_status
from jaxmarl_comm.options import field_overrides
from jaxmarl_comm.parsers import (
    MARL_EVAL,
    TENSORBOARD,
    WANDB,
    check_parser,
    crossplay_parser,
    evaluate_parser,
    exploit_parser,
    export_parser,
    replay_parser,
    report_parser,
    results_parser,
    study_parser,
    train_parser,
)
from jaxmarl_comm.registry import config_class
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, one_line, shown

HERE = Path(__file__).resolve().parent
CONFIGS = HERE / "configs" if (HERE / "configs").is_dir() else HERE.parent / "configs"  # in a wheel; in a clone

QUICK_TEST = {
    "num_iters": 4,
    "num_envs": 16,
    "num_minibatches": 2,
    "log_interval": 2,
    "checkpoint_interval": 2,
    "eval_interval": 2,
    "eval_episodes": 100,
    "eval_episodes_reference": 10,
    "batch_size": 64,
    "buffer_size": 4_000,
    "learning_delay": 400,
    "replay_ratio": 1.0,
}
"""A tiny run of any algorithm, in those of these settings that it has."""

QUICK_EVOLUTION = {
    "evolution.evo_interval": 2,
    "evolution.burn_in": 0,
    "evolution.fitness_episodes": 100,
    "evolution.random_start": True,  # ranges may be of settings that are others in a tiny run
}
"""The same of a population."""


def train_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/train.py`; returns the exit status."""
    parser = train_parser()
    given, rest = parser.parse_known_args(arguments)

    def check(changes: dict[str, Any]) -> Config:
        return read_config(given.config, changes)

    return guarded(lambda: run_training(given, field_overrides(rest, parser, check)))


def run_training(given: argparse.Namespace, changes: dict[str, Any]) -> None:
    """Raises ConfigError or RunError."""
    from jaxmarl_comm import api
    from jaxmarl_comm.run_folder import RunError, RunFolder

    wandb = given.wandb_project or given.wandb
    if given.resume is None:
        changes = {**quick_test(read_config(given.config, {}), changes), **changes} if given.test else changes
        cfg = read_config(given.config, changes)
        if given.print_config:
            print(cfg.to_yaml(), end="")
            return
        name = Path(given.config).stem if given.config else cfg.env.name
        api.train_wrapper(cfg, given.run_dir or RunFolder.default_path(name), wandb=wandb)
    else:
        path = given.run_dir if given.resume is True else given.resume
        if path is None:
            raise RunError("--resume needs the run's folder: --resume DIR, or --run-dir DIR --resume")
        check_one_folder(given.run_dir, path)
        if given.print_config:
            raise ConfigError(f"--print-config is of new runs; what {path} has is in its config.yaml")
        changes = {**quick_test(RunFolder.read(path)[1], changes), **changes} if given.test else changes
        api.resume(path, read_config(given.config, changes) if given.config else changes, wandb=wandb)


def check_one_folder(run_dir: Path | None, resume: Path) -> None:
    """Raises RunError where two are named to go on in."""
    from jaxmarl_comm.files import RunError

    if run_dir and run_dir.resolve() != resume.resolve():
        raise RunError(f"--resume goes on in {resume}, so --run-dir {run_dir} means nothing: leave it away")


def quick_test(cfg: Config, changes: dict[str, Any]) -> dict[str, Any]:
    """The settings of a tiny run, as far as the algorithm has them: the config's, or the one that it is changed to.

    Raises ConfigError for an algorithm that there is not.
    """
    fields = config_class(changes.get("algorithm", cfg.algorithm)).model_fields
    settings = {name: value for name, value in QUICK_TEST.items() if name in fields}
    size = changes.get("evolution.population_size", cfg.evolution.population_size)
    if not isinstance(size, int) or size < 2:  # what is no number is told when all is read
        return settings
    shared = {"buffer_size": size * QUICK_TEST["buffer_size"]} if "buffer_size" in fields else {}
    return settings | QUICK_EVOLUTION | shared


def evaluate_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/evaluate.py`; returns the exit status."""
    parser = evaluate_parser()
    given, rest = parser.parse_beside_settings(arguments)

    def run() -> None:
        from jaxmarl_comm.api import evaluate

        numbers = given.episodes, given.episodes_reference, given.seed
        env = task_arguments(field_overrides(rest, parser))
        evaluate(given.run, *numbers, given.control, given.output, given.checkpoint, env)

    return guarded(run)


def crossplay_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/crossplay.py`; returns the exit status."""
    parser = crossplay_parser()
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.api import crossplay

        crossplay(given.runs, given.episodes, given.seed, given.output)

    return guarded(run)


def replay_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/replay.py`; returns the exit status."""
    parser = replay_parser()
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.api import replay

        replay(given.run, given.seed, given.episodes, given.output, given.checkpoint)

    return guarded(run)


def report_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/report.py`; returns the exit status."""
    given = report_parser().parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.page.making import report_on  # sooner there than `api`, with all that trains

        report_on(given.runs, given.replays, given.output)

    return guarded(run)


def export_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/export.py`; returns the exit status."""
    parser = export_parser()
    given = parser.parse_args(arguments)
    for option, value, of in (("--output", given.output, MARL_EVAL), ("--wandb-project", given.wandb_project, WANDB)):
        if value is not None and given.to != of:
            parser.error(f"{option} is of --to {of}, not of --to {given.to}")
    return guarded(lambda: run_exporting(given))


def run_exporting(given: argparse.Namespace) -> None:
    """Raises RunError."""
    from jaxmarl_comm.api import new_file
    from jaxmarl_comm.tracking.marl_eval import export_marl_eval
    from jaxmarl_comm.tracking.tensorboard import export_tensorboard
    from jaxmarl_comm.tracking.wandb_runs import export_wandb

    if given.to == MARL_EVAL:
        print(export_marl_eval(given.runs, new_file(given.output, ".json") if given.output else None))
        return
    for path in given.runs:
        of_tensorboard = given.to == TENSORBOARD
        print(f"written to {export_tensorboard(path)}" if of_tensorboard else export_wandb(path, given.wandb_project))


def results_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/results.py`; returns the exit status."""
    parser = results_parser()
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.results.collect import collect

        if given.page.suffix != ".md":
            parser.error(f"--page is {given.page}, but must be a Markdown file, NAME.md")
        collect(given.runs, given.page)

    return guarded(run)


def exploit_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/exploit.py`; returns the exit status."""
    parser = exploit_parser()
    given, rest = parser.parse_beside_settings(arguments)
    if (given.run is None) == (given.resume is None):
        parser.error("give a run, or --resume and the folder of an exploit")
    return guarded(lambda: run_exploiting(given, field_overrides(rest, parser)))


def run_exploiting(given: argparse.Namespace, overrides: dict[str, Any]) -> None:
    """Raises ConfigError or RunError."""
    from jaxmarl_comm import api
    from jaxmarl_comm.exploiting.folder import is_exploit
    from jaxmarl_comm.run_folder import RunError

    if given.resume is not None and not is_exploit(given.resume):
        raise RunError(f"{given.resume} is not an exploit's folder")
    options = {"side": given.side, "seeds": given.seeds, "of_seeds": given.of_seeds, "output": given.output}
    api.exploit(given.resume or given.run, overrides, **options)


def study_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/study.py`; returns the exit status."""
    parser = study_parser()
    given, rest = parser.parse_known_args(arguments)
    return guarded(lambda: run_studying(given, field_overrides(rest, parser)))


def run_studying(given: argparse.Namespace, overrides: dict[str, Any]) -> None:
    """Raises ConfigError or RunError."""
    from jaxmarl_comm import api
    from jaxmarl_comm.run_folder import RunFolder
    from jaxmarl_comm.study.config import load_study

    if given.resume is None:
        study = load_study(find_config(given.config, CONFIGS / "studies"), overrides)
        api.train_study(study, given.run_dir or RunFolder.default_path(Path(given.config).stem))
        return
    check_one_folder(given.run_dir, given.resume)
    if overrides:
        raise ConfigError("a study is resumed as it was: leave the settings away")
    api.train_study(given.resume)


def check_main(arguments: Sequence[str] | None = None) -> int:
    """`jaxmarl-comm check`; returns the exit status."""
    parser = check_parser()
    given, rest = parser.parse_beside_settings(arguments)

    def run() -> None:
        from jaxmarl_comm.envs import make_env
        from jaxmarl_comm.envs.checking import check_env

        changes = task_arguments(field_overrides(rest, parser))
        try:
            env = make_env(given.task, **changes)
        except ValueError as error:
            raise error if isinstance(error, ConfigError) else ConfigError(str(error)) from None
        check_env(env)
        print(f"{env.name} is in order: {', '.join(env.agents)}")

    return guarded(run)


def task_arguments(changes: Mapping[str, Any]) -> dict[str, Any]:
    """`env.N` and the like, without `env.`. Raises ConfigError for other settings."""
    if strangers := [key for key in changes if not key.startswith("env.")]:
        raise ConfigError(f"{shown(strangers[0])} is no argument of a task: these begin with env.")
    return merge({}, {key.removeprefix("env."): value for key, value in changes.items()})


def guarded(run: Callable[[], None]) -> int:
    """Exit status of a command; what the user can mend is told in one line, or one for each of several mistakes."""
    from jaxmarl_comm.envs.foreign.failure import told_in_one_line
    from jaxmarl_comm.files import InterruptedRunError, RunError

    try:
        with told_in_one_line():
            run()
    except ConfigError as error:
        print("\n".join(f"error: {mistake}" for mistake in error.mistakes), file=sys.stderr)
        return 1
    except RunError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return exit_status() if isinstance(error, InterruptedRunError) else 1
    except OSError as error:  # a full disk or a closed pipe behind standard output
        where = f": {error.filename}" if error.filename else ""
        print(f"error: {one_line(f'{error.strerror or error}{where}')}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        return exit_status()
    return 0


def read_config(name: str | None, changes: dict[str, Any]) -> Config:
    """The config of that file, or the defaults, with dotted changes. Raises ConfigError."""
    if name is None:
        return build_config(merge({}, changes))
    return load_config(find_config(name, CONFIGS), changes)


def find_config(name: str, folder: Path) -> Path:
    """The file of that name, here or in the folder. Raises ConfigError."""
    path = Path(name)
    known = folder / (name if path.suffix else f"{name}.yaml")
    for there in (path, known):
        if exists(there):
            return there
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    where = folder.relative_to(CONFIGS.parent)
    raise ConfigError(
        f"no config {name[:60]} here or under {where}/{did_you_mean(path.stem, names)}; there are {', '.join(names)}"
    )
