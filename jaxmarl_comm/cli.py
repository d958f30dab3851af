"""Command lines of `scripts/`: parse, call, and turn a user's mistake into one line and a non-zero exit."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from os.path import exists
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, build_config, load_config
from jaxmarl_comm.dotted import merge
from jaxmarl_comm.interrupts import exit_status, parting
from jaxmarl_comm.options import Parser, field_overrides, fields_help
from jaxmarl_comm.registry import config_class
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, one_line

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
    "eval_episodes_mpe2": 10,
    "batch_size": 64,
    "buffer_size": 4_000,
    "learning_delay": 400,
    "replay_ratio": 1.0,
}
"""A tiny run of any algorithm, in those of these settings that it has."""


def train_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/train.py`; returns the exit status."""
    parser = Parser(
        description="Train a team of agents and evaluate it; everything is left in a run folder.",
        epilog=fields_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="%(prog)s [--config FILE] [--run-dir DIR] [--resume [DIR]] [--test] [--FIELD VALUE ...]",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file, or the name of one under configs/; default: all defaults"
    )
    parser.add_argument(
        "--run-dir", metavar="DIR", type=Path, help="new folder for results; default: runs/<config>-<time>"
    )
    resume_help = "go on with the run in DIR, or in --run-dir"
    parser.add_argument("--resume", metavar="DIR", type=Path, nargs="?", const=Path(), help=resume_help)
    parser.add_argument("--test", action="store_true", help="a tiny run of everything, in seconds")
    parser.add_argument("--print-config", action="store_true", help="say all settings of such a run, and start none")
    given, rest = parser.parse_known_args(arguments)
    return guarded(lambda: run_training(given, field_overrides(rest, parser)))


def run_training(given: argparse.Namespace, changes: dict[str, Any]) -> None:
    """Raises ConfigError, RunError or CheckpointError."""
    from jaxmarl_comm import api
    from jaxmarl_comm.run_folder import RunError, RunFolder

    if given.resume is None:
        changes = {**quick_test(read_config(given.config, {}), changes), **changes} if given.test else changes
        cfg = read_config(given.config, changes)
        if given.print_config:
            print(cfg.to_yaml(), end="")
            return
        name = Path(given.config).stem if given.config else cfg.env.name
        api.train_wrapper(cfg, given.run_dir or RunFolder.default_path(name))
    else:
        path = given.run_dir if given.resume == Path() else given.resume
        if path is None:
            raise RunError("--resume needs the run's folder: --resume DIR, or --run-dir DIR --resume")
        if given.print_config:
            raise ConfigError(f"--print-config is of new runs; what {path} has is in its config.yaml")
        changes = {**quick_test(RunFolder.open(path)[1], changes), **changes} if given.test else changes
        api.resume(path, read_config(given.config, changes) if given.config else changes)


def quick_test(cfg: Config, changes: dict[str, Any]) -> dict[str, Any]:
    """The settings of a tiny run, as far as the algorithm has them: the config's, or the one that it is changed to.

    Raises ConfigError for an algorithm that there is not.
    """
    fields = config_class(changes.get("algorithm", cfg.algorithm)).model_fields
    return {name: value for name, value in QUICK_TEST.items() if name in fields}


def evaluate_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/evaluate.py`; returns the exit status."""
    parser = Parser(
        description="Evaluate the newest checkpoint of a run again, beside its own evaluation.json.", allow_abbrev=False
    )
    parser.add_argument("--run", metavar="DIR", type=Path, required=True, help="run folder")
    parser.add_argument("--episodes", type=int, help="in our environment (the run's eval_episodes)")
    parser.add_argument("--episodes-mpe2", type=int, help="in the real mpe2 (the run's)")
    parser.add_argument("--seed", type=int, help="of the episodes (the run's)")
    control_help = "finished run of silent agents on the same task, to compare with (the run's own)"
    parser.add_argument("--control", metavar="DIR", type=Path, help=control_help)
    parser.add_argument("--output", metavar="FILE", type=Path, help="new .json file (DIR/evaluation-1.json, -2, ...)")
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.api import evaluate

        evaluate(given.run, given.episodes, given.episodes_mpe2, given.seed, given.control, given.output)

    return guarded(run)


def crossplay_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/crossplay.py`; returns the exit status."""
    parser = Parser(
        description="Where sides compete: all seeds of all runs, and scripted sides, against each other. Where agents "
        "cooperate: each seed's with those of the others. A table, and a folder with crossplay.json and a picture.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder; all of the same task")
    parser.add_argument("--episodes", type=int, default=1_000, help="in each cell (1000)")
    parser.add_argument("--seed", type=int, help="of the episodes (the first run's)")
    output_help = "new folder (crossplay-1, -2, ... in the first run's)"
    parser.add_argument("--output", metavar="DIR", type=Path, help=output_help)
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.api import crossplay

        crossplay(given.runs, given.episodes, given.seed, given.output)

    return guarded(run)


def replay_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/replay.py`; returns the exit status."""
    parser = Parser(
        description="Films of a run's best, median and worst episode on one HTML page: who goes where and who says "
        "what, as it is and, from the same start, with messages muted and shuffled.",
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    parser.add_argument("--seed", type=int, default=0, help="which of the run's seeds, from 0 (0)")
    parser.add_argument("--episodes", type=int, default=1_000, help="of which these are chosen (1000)")
    output_help = "new .html file (RUN/replay-1.html, -2, ...)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=output_help)
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.api import replay

        replay(given.run, given.seed, given.episodes, given.output)

    return guarded(run)


def export_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/export.py`; returns the exit status."""
    parser = Parser(
        description="Metrics of runs as files for TensorBoard, in RUN/tensorboard, made anew each time: look at all "
        "with tensorboard --logdir runs.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder, finished or not")
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.tracking.tensorboard import export_tensorboard

        for path in given.runs:
            print(f"written to {export_tensorboard(path)}")

    return guarded(run)


def results_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/results.py`; returns the exit status."""
    parser = Parser(
        description="Put finished runs on a page of results, with what they were last crossed with (crossplay.py); "
        "records of all runs are kept beside it, so that it can be made again without them.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="*", help="run folder; none: the page is made again")
    page_help = "Markdown file; records and pictures lie in the folder of its name (docs/results.md)"
    parser.add_argument("--page", metavar="FILE", type=Path, default=Path("docs/results.md"), help=page_help)
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.results.collect import collect

        if given.page.suffix != ".md":
            parser.error(f"--page is {given.page}, but must be a Markdown file, NAME.md")
        collect(given.runs, given.page)

    return guarded(run)


def exploit_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/exploit.py`; returns the exit status."""
    parser = Parser(
        description="How much can be taken, at the least, from the sides of a finished run: fresh responses are "
        "trained against each. A table, and a folder with exploit.json, a picture and the responses' run folders.",
        epilog=fields_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="%(prog)s RUN [--side SIDE] [--seeds N] [--of-seeds 0,1] [--output DIR] [--FIELD VALUE ...]\n"
        "       %(prog)s --resume DIR",
    )
    parser.add_argument(
        "run", metavar="RUN", type=Path, nargs="?", help="folder of a finished run of sides that compete"
    )
    parser.add_argument("--resume", metavar="DIR", type=Path, help="go on with the exploit in DIR")
    parser.add_argument("--side", default="both", help="whose play is exploited: good, adversary or both (both)")
    parser.add_argument(
        "--seeds", type=int, default=3, help="responses trained against each, the best of which counts (3)"
    )
    parser.add_argument("--of-seeds", metavar="0,1,...", type=seed_list, help="seeds of the run (all)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="new folder (exploit-1, -2, ... in the run's)")
    given, rest = parser.parse_known_args(arguments)
    if (given.run is None) == (given.resume is None):
        parser.error("give a run, or --resume and the folder of an exploit")
    return guarded(lambda: run_exploiting(given, field_overrides(rest, parser)))


def run_exploiting(given: argparse.Namespace, overrides: dict[str, Any]) -> None:
    """Raises ConfigError, RunError or CheckpointError."""
    from jaxmarl_comm import api
    from jaxmarl_comm.exploiting.folder import is_exploit
    from jaxmarl_comm.run_folder import RunError

    if given.resume is not None and not is_exploit(given.resume):
        raise RunError(f"{given.resume} is not an exploit's folder")
    options = {"side": given.side, "seeds": given.seeds, "of_seeds": given.of_seeds, "output": given.output}
    api.exploit(given.resume or given.run, overrides, **options)


def seed_list(text: str) -> list[int]:
    """`0,2` as numbers. Raises ValueError."""
    numbers = [int(word) for word in text.split(",")]
    if min(numbers) < 0:
        raise ValueError(text)
    return numbers


def study_main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/study.py`; returns the exit status."""
    parser = Parser(
        description="Train several protocols, with a setting of the channel in several values, and compare them; "
        "results are written after each, as results.json, table.md and study.png.",
        epilog=fields_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="%(prog)s --config FILE [--run-dir DIR] [--resume DIR] [--FIELD VALUE ...]",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="FILE", help="study as YAML, or the name of one under configs/studies/")
    what.add_argument("--resume", metavar="DIR", type=Path, help="go on with the study in DIR")
    where_help = "new folder for results; default: runs/<study>-<time>"
    parser.add_argument("--run-dir", metavar="DIR", type=Path, help=where_help)
    given, rest = parser.parse_known_args(arguments)
    return guarded(lambda: run_studying(given, field_overrides(rest, parser)))


def run_studying(given: argparse.Namespace, overrides: dict[str, Any]) -> None:
    """Raises ConfigError or RunError."""
    from jaxmarl_comm.memory import check_memory
    from jaxmarl_comm.run_folder import RunFolder
    from jaxmarl_comm.study.config import load_study, programs
    from jaxmarl_comm.study.folder import StudyFolder
    from jaxmarl_comm.study.run import run_study

    if given.resume is not None:
        if overrides:
            raise ConfigError("a study is resumed as it was: leave the settings away")
        folder, study = StudyFolder.open(given.resume)
    else:
        study = load_study(find_config(given.config, CONFIGS / "studies"), overrides)
        for program in programs(study):
            check_memory(program.cfg, len(program.values))
        folder = StudyFolder.create(given.run_dir or RunFolder.default_path(Path(given.config).stem), study)
    with folder.locked(), parting(f"stopped; what is done is kept: go on with --resume {folder.path}"):
        run_study(study, folder)


def guarded(run: Callable[[], None]) -> int:
    """Exit status of a command; what the user can mend is told in one line."""
    from jaxmarl_comm.checkpoint import CheckpointError
    from jaxmarl_comm.run_folder import RunError
    from jaxmarl_comm.runner import InterruptedRunError

    try:
        run()
    except (ConfigError, RunError, CheckpointError) as error:
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
