"""The command line of `scripts/report.py`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from jaxmarl_comm.cli import guarded
from jaxmarl_comm.options import Parser


def main(arguments: Sequence[str] | None = None) -> int:
    """`scripts/report.py`; returns the exit status."""
    parser = Parser(
        description="All that there is to say of a run, finished or not, on one HTML page: whether it talks and what "
        "that is worth, curves, messages, settings, and episodes to watch. Several runs, or a study, make one page "
        "side by side.",
        allow_abbrev=False,
    )
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="run folder, or the folder of one study")
    replays_help = "whether to play episodes to be watched, which takes longest (yes)"
    parser.add_argument("--replays", action=argparse.BooleanOptionalAction, default=True, help=replays_help)
    output_help = "new .html file (RUN/report.html, made anew; of several: report-1.html, -2, ... in the first one's)"
    parser.add_argument("--output", metavar="FILE", type=Path, help=output_help)
    given = parser.parse_args(arguments)

    def run() -> None:
        from jaxmarl_comm.page.making import report_on

        report_on(given.runs, given.replays, given.output)

    return guarded(run)
