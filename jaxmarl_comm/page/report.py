"""The report: one page of a run, or of several side by side, made of what their folders hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxmarl_comm.files import write_whole
from jaxmarl_comm.page.curves import points_each
from jaxmarl_comm.page.document import LARGEST, document
from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.reading import Seen, read_run
from jaxmarl_comm.page.run import about, run_sections
from jaxmarl_comm.page.several import side_by_side

SCRIPTS = ("curves.js", "player.js")
TOO_LARGE = "it would make this page too large; jaxmarl-comm replay makes a page of its own"

Films = Mapping[str, Any]
"""Name of a run -> its film, or why there is none."""


def report_page(runs: Sequence[Seen], films: Films | None = None) -> str:
    """HTML. Films that would make it larger than LARGEST are left out, which is said."""
    films = dict(films or {})
    page = _page(runs, films)
    if len(page.encode()) > LARGEST and films:
        page = _page(runs, dict.fromkeys(films, TOO_LARGE))
    return page


def write_report(run: Path, report: Path, evaluation: Path | None = None) -> None:
    """The page of one run, without replays, in place of what is there. Raises RunError."""
    write_whole(report, report_page([read_run(run, evaluation)]))


def _page(runs: Sequence[Seen], films: Films) -> str:
    points = points_each(runs)
    if len(runs) == 1:
        head = tag("header", tag("h1", runs[0].name), tag("p", about(runs[0]), class_="about"))
        return document(
            runs[0].name, tag("main", head, run_sections(runs[0], points, films.get(runs[0].name))), SCRIPTS
        )
    names = ", ".join(run.name for run in runs)
    head = tag("header", tag("h1", f"{len(runs)} runs"), tag("p", names, class_="about"))
    parts = [_part(k, run, points, films) for k, run in enumerate(runs)]
    return document(f"{len(runs)} runs", tag("main", head, side_by_side(runs, points), join(parts)), SCRIPTS)


def _part(k: int, run: Seen, points: int, films: Films) -> Markup:
    """One of several runs."""
    head = [tag("h2", run.name), tag("p", about(run), class_="about")]
    return tag("article", *head, run_sections(run, points, films.get(run.name)), id=f"run-{k}")
