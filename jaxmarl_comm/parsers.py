"""What the command lines of `scripts/` may say."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from jaxmarl_comm.options import Parser, fields_help
from jaxmarl_comm.suggest import did_you_mean, shown

TENSORBOARD, WANDB, MARL_EVAL = TARGETS = ("tensorboard", "wandb", "marl-eval")


def train_parser() -> Parser:
    parser = with_fields(
        "Train a team of agents and evaluate it; everything is left in a run folder.",
        "%(prog)s [--config FILE] [--run-dir DIR] [--resume [DIR]] [--test] [--wandb] [--FIELD VALUE ...]",
    )
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file, or the name of one under configs/; default: all defaults"
    )
    parser.add_argument(
        "--run-dir", metavar="DIR", type=Path, help="new folder for results; default: runs/<config>-<time>"
    )
    resume_help = "go on with the run in DIR, or in --run-dir"
    parser.add_argument("--resume", metavar="DIR", type=Path, nargs="?", const=True, help=resume_help)
    parser.add_argument("--test", action="store_true", help="a tiny run of everything, in seconds")
    parser.add_argument("--print-config", action="store_true", help="say all settings of such a run, and start none")
    wandb_help = "follow the run in Weights & Biases: offline, unless WANDB_MODE says online"
    parser.add_argument("--wandb", action="store_true", help=wandb_help)
    add_project(parser)
    return parser


def evaluate_parser() -> Parser:
    parser = Parser(
        usage="%(prog)s --run DIR [--checkpoint WHICH] [--episodes N] [--env.ARGUMENT VALUE ...] ...",
        description="Evaluate a checkpoint of a run, beside its own evaluation.json; with --env.ARGUMENT VALUE, in the "
        "task with another argument.",
    )
    parser.add_argument("--run", metavar="DIR", type=Path, required=True, help="run folder")
    add_checkpoint(parser)
    add_number(parser, "--episodes", "in our environment (the run's eval_episodes) [at least 2]")
    add_number(parser, "--episodes-reference", "in the task's reference implementation (the run's) [at least 0]")
    add_number(parser, "--seed", "of the episodes (the run's) [at least 0]")
    control_help = "finished run of silent agents on the same task, to compare with (the run's own)"
    parser.add_argument("--control", metavar="DIR", type=Path, help=control_help)
    parser.add_argument("--output", metavar="FILE", type=Path, help="new .json file (DIR/evaluation-1.json, -2, ...)")
    return parser


def crossplay_parser() -> Parser:
    parser = Parser(
        description="Where sides compete: all seeds of all runs, and scripted sides, against each other. Where agents "
        "cooperate: each seed's with those of the others. A table, and a folder with crossplay.json and a picture."
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder; all of the same task")
    add_number(parser, "--episodes", "in each cell (1000) [at least 2]", 1_000)
    add_number(parser, "--seed", "of the episodes (the first run's) [at least 0]")
    output_help = "new folder (crossplay-1, -2, ... in the first run's)"
    parser.add_argument("--output", metavar="DIR", type=Path, help=output_help)
    return parser


def replay_parser() -> Parser:
    parser = Parser(
        description="Films of a run's best, median and worst episode on one HTML page: who goes where and who says "
        "what, as it is and, from the same start, with messages muted and shuffled."
    )
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder")
    add_number(parser, "--seed", "which of the run's seeds, from 0 (0)", 0)
    add_number(parser, "--episodes", "of which these are chosen (1000) [at least 2]", 1_000)
    add_checkpoint(parser)
    output_help = "new .html file, or .gif of the median episode (RUN/replay-1.html, -2, ...)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=output_help)
    return parser


def report_parser() -> Parser:
    parser = Parser(
        description="All that there is to say of a run, finished or not, on one HTML page: whether it talks and what "
        "that is worth, curves, messages, settings, and episodes to watch. Several runs, or a study, make one page "
        "side by side."
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder, or the folder of one study")
    replays_help = "whether to play episodes to be watched, which takes longest (yes)"
    parser.add_argument("--replays", action=argparse.BooleanOptionalAction, default=True, help=replays_help)
    output_help = "new .html file (RUN/report.html, made anew; of several: report-1.html, -2, ... in the first one's)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=output_help)
    return parser


def export_parser() -> Parser:
    parser = Parser(
        description="Metrics of runs where others look at them. tensorboard: files in RUN/tensorboard, made anew each "
        "time; look at all with tensorboard --logdir runs. wandb: the same in RUN/wandb, for wandb sync, or sent at "
        "once where WANDB_MODE is online; a run of each seed, never twice. marl-eval: one JSON file of several "
        "finished runs, to compare algorithms over tasks; its lists hold one value, a mean over episodes, of each "
        "short evaluation in training, and as absolute metrics of the last policy."
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder, finished or not")
    parser.add_argument("--to", choices=TARGETS, default=TENSORBOARD, help=f"({TENSORBOARD})")
    add_project(parser)
    output_help = "of marl-eval: new .json file (marl-eval-1.json, -2, ... in the first run's folder)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=output_help)
    return parser


def results_parser() -> Parser:
    parser = Parser(
        description="Put finished runs on a page of results, with what they were last crossed with (crossplay.py); "
        "records of all runs are kept beside it, so that it can be made again without them."
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="*", help="run folder; none: the page is made again")
    page_help = "Markdown file; records and pictures lie in the folder of its name (docs/results.md)"
    parser.add_argument("--page", metavar="FILE", type=Path, default=Path("docs/results.md"), help=page_help)
    return parser


def exploit_parser() -> Parser:
    parser = with_fields(
        "How much can be taken, at the least, from the sides of a finished run: fresh responses are "
        "trained against each. A table, and a folder with exploit.json, a picture and the responses' run folders.",
        "%(prog)s RUN [--side SIDE] [--seeds N] [--of-seeds 0,1] [--output DIR] [--FIELD VALUE ...]\n"
        "       %(prog)s --resume DIR",
    )
    parser.add_argument(
        "run", metavar="RUN", type=Path, nargs="?", help="folder of a finished run of sides that compete"
    )
    parser.add_argument("--resume", metavar="DIR", type=Path, help="go on with the exploit in DIR")
    parser.add_argument("--side", default="both", help="whose play is exploited: good, adversary or both (both)")
    add_number(parser, "--seeds", "responses trained against each, the best of which counts (3) [at least 1]", 3)
    parser.add_argument("--of-seeds", metavar="0,1,...", type=seed_list, help="seeds of the run (all)")
    parser.add_argument("--output", metavar="DIR", type=Path, help="new folder (exploit-1, -2, ... in the run's)")
    return parser


def study_parser() -> Parser:
    parser = with_fields(
        "Train several protocols, with a setting of the channel in several values, and compare them; "
        "results are written after each, as results.json, table.md and study.png.",
        "%(prog)s --config FILE [--run-dir DIR] [--resume DIR] [--FIELD VALUE ...]",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", metavar="FILE", help="study as YAML, or the name of one under configs/studies/")
    what.add_argument("--resume", metavar="DIR", type=Path, help="go on with the study in DIR")
    where_help = "new folder for results; default: runs/<study>-<time>"
    parser.add_argument("--run-dir", metavar="DIR", type=Path, help=where_help)
    return parser


def with_fields(description: str, usage: str) -> Parser:
    """Whose options are also the settings of a config."""
    return Parser(
        description=description,
        epilog=fields_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage=usage,
    )


def add_number(parser: Parser, name: str, meaning: str, default: int | None = None) -> None:
    parser.add_argument(name, metavar="N", type=int, default=default, help=meaning)


def add_checkpoint(parser: Parser) -> None:
    """The option that chooses one of a run's checkpoints."""
    checkpoint_help = "latest, best (by short greedy evaluations in training) or an iteration that is kept (latest)"
    parser.add_argument("--checkpoint", metavar="WHICH", type=which_checkpoint, default="latest", help=checkpoint_help)


def which_checkpoint(text: str) -> str | int:
    """`latest`, `best` or a number. Raises ArgumentTypeError."""
    words = ("latest", "best")
    if text in words:
        return text
    if text.isascii() and text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{shown(text)} is neither latest, best nor an iteration{did_you_mean(text, words)}"
    )


def add_project(parser: Parser) -> None:
    project_help = "of Weights & Biases, also without --wandb (WANDB_PROJECT, or jaxmarl_comm)"
    parser.add_argument("--wandb-project", metavar="NAME", help=project_help)


def seed_list(text: str) -> list[int]:
    """`0,2` as numbers. Raises ValueError."""
    numbers = [int(word) for word in text.split(",")]
    if min(numbers) < 0:
        raise ValueError(text)
    return numbers


def check_parser() -> Parser:
    parser = Parser(
        usage="%(prog)s TASK [--env.ARGUMENT VALUE ...]",
        description="Tell all that is wrong with a task, or that nothing is: names, shapes, types, purity, keys, "
        "clocks, early ends, gradients.",
    )
    parser.add_argument("task", metavar="TASK", help="module:Class, or a name that `jaxmarl-comm list tasks` tells")
    return parser


PARSERS: dict[str, Callable[[], Parser]] = {
    "train": train_parser,
    "evaluate": evaluate_parser,
    "replay": replay_parser,
    "report": report_parser,
    "study": study_parser,
    "crossplay": crossplay_parser,
    "exploit": exploit_parser,
    "export": export_parser,
    "results": results_parser,
    "check": check_parser,
}
"""By command."""
