"""The report: one page of a run, or of several side by side, made of what their folders hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxmarl_comm.files import write_whole
from jaxmarl_comm.page.curves import points_each
from jaxmarl_comm.page.document import LARGEST, document
from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.reading import Seen, read_run
from jaxmarl_comm.page.run import Film, about, run_sections
from jaxmarl_comm.page.several import side_by_side

SCRIPTS = ("curves.js", "player.js")
TOO_LARGE = "it would make this page too large; jaxmarl-comm replay makes a page of its own"

Films = Sequence[Film | str | None]
"""Of each run its film, or in words why it has none; None says nothing of it."""


def report_page(runs: Sequence[Seen], films: Films | None = None) -> str:
    """HTML. Films that would make it larger than LARGEST are left out, which is said."""
    runs, films = told_apart(runs), films or [None] * len(runs)
    page = _page(runs, films)
    if len(page.encode()) > LARGEST:
        page = _page(runs, [TOO_LARGE if isinstance(film, dict) else film for film in films])
    return page


def told_apart(runs: Sequence[Seen]) -> list[Seen]:
    """The same runs, with a number behind the name of one that has an earlier one's name."""
    names = [run.name for run in runs]
    again = [names[:k].count(name) for k, name in enumerate(names)]
    return [run._replace(name=f"{run.name} ({n + 1})") if n else run for run, n in zip(runs, again, strict=True)]


def write_report(run: Path, report: Path, evaluation: Path | None = None) -> None:
    """The page of one run, without replays, in place of what is there. Raises RunError."""
    write_whole(report, report_page([read_run(run, evaluation)]))


def _page(runs: Sequence[Seen], films: Films) -> str:
    points = points_each(runs)
    if len(runs) == 1:
        head = tag("header", tag("h1", runs[0].name), tag("p", about(runs[0]), class_="about"))
        return document(runs[0].name, tag("main", head, run_sections(runs[0], points, films[0])), SCRIPTS)
    names = ", ".join(run.name for run in runs)
    head = tag("header", tag("h1", f"{len(runs)} runs"), tag("p", names, class_="about"))
    parts = [_part(k, run, points, film) for k, (run, film) in enumerate(zip(runs, films, strict=True))]
    return document(f"{len(runs)} runs", tag("main", head, side_by_side(runs, points), join(parts)), SCRIPTS)


def _part(k: int, run: Seen, points: int, film: Film | str | None) -> Markup:
    """One of several runs."""
    head = [tag("h2", run.name), tag("p", about(run), class_="about")]
    return tag("article", *head, run_sections(run, points, film), id=f"run-{k}")
