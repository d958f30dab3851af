"""Reports of folders, wherever they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxmarl_comm.files import RunError, write_whole
from jaxmarl_comm.page.reading import read_run
from jaxmarl_comm.page.report import report_page
from jaxmarl_comm.page.run import Film
from jaxmarl_comm.run_folder import RunFolder, new_file
from jaxmarl_comm.settings import ConfigError


def report_on(paths: Sequence[Path], replays: bool = True, output: Path | None = None) -> Path:
    """The page of these folders, which are of runs, or the one of a study: see `make_report`."""
    given = new_file(output, ".html") if output else None
    page = written_study(paths[0], given) if len(paths) == 1 else None
    page = page or written_runs(paths, replays, given)
    print(f"open {page} in a browser", flush=True)
    return page


def written_study(path: Path, given: Path | None) -> Path | None:
    """None if it is no study's folder."""
    if not (path / "study.yaml").exists():
        return None
    from jaxmarl_comm.page.study import study_page  # which loads all that trains, for seconds

    page = given or path / "report.html"
    write_whole(page, study_page(path))
    return page


def written_runs(paths: Sequence[Path], replays: bool, given: Path | None) -> Path:
    """The page of one run takes the place of what is there; that of several does not."""
    seen = [read_run(path) for path in paths]
    page, first = report_page(seen, [film_or_why_not(path) for path in paths] if replays else None), RunFolder(paths[0])
    if len(paths) > 1:
        return first.write_new_file([given] if given else first.numbered("report", ".html"), page)
    write_whole(given or first.report, page)
    return given or first.report


def film_or_why_not(run: Path) -> Film | str:
    """Of the first seed of a run; in words why it has none."""
    from jaxmarl_comm.film.of_run import film_of

    try:
        return film_of(*RunFolder.open(run))[0]
    except (RunError, ConfigError) as error:
        return str(error)
