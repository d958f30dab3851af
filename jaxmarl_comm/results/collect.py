"""Records of runs in a folder, and the page and pictures that are made of all that are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.files import RunError, locked, read_bytes, write_whole
from jaxmarl_comm.results.page import page
from jaxmarl_comm.results.pictures import plot_task
from jaxmarl_comm.results.record import Kept, record_of
from jaxmarl_comm.run_folder import RunFolder, without_nan

Record = dict[str, Any]


def collect(runs: Sequence[Path], page_file: Path, tell: Callable[[str], None] = print) -> list[Record]:
    """Keep records of these finished runs beside a page (`docs/results/` beside `docs/results.md`), and write it anew.

    A run takes the place of an earlier one of its name. Raises RunError, before anything is written, for a run that is
    not finished or two of one name.
    """
    added = [to_add(path) for path in runs]
    names = [record["name"] for record in added]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RunError(f"two runs are named {twice}; rename the folder of one")
    folder = page_file.with_suffix("")
    if RunFolder(folder).config.exists():
        raise RunError(f"records would lie in {folder}, which is a run's folder; name the page otherwise")
    if not added and not folder.is_dir():
        raise nothing_in(folder)
    for parent in (page_file.parent, folder):
        make_folder(parent)
    with locked(folder):
        for record in added:
            write_whole(folder / f"{record['name']}.json", json.dumps(record, indent=1) + "\n")
            tell(f"added {record['name']}")
        return draw(page_file, folder, tell)


def to_add(path: Path) -> Record:
    """What to keep of the finished run in this folder. Raises RunError."""
    record: Record = without_nan(record_of(path))
    try:
        shown(record)
    except ValueError:
        raise RunError(f"what {path} was last crossed with, or exploited by, is damaged; delete that folder") from None
    return record


def draw(page_file: Path, folder: Path, tell: Callable[[str], None]) -> list[Record]:
    """Make the page and its pictures of all records in the folder, which are returned. Raises RunError."""
    records = sorted(map(read_record, folder.glob("*.json")), key=place)
    if not records:
        raise nothing_in(folder)
    for task, of_task in groupby(records, key=lambda record: record["task"]):
        plot_task(list(of_task), folder / f"{task}.png")
    write_whole(page_file, page(records, folder.name))
    tell(f"{len(records)} run{'s' * (len(records) > 1)} on {page_file}")
    return records


def nothing_in(folder: Path) -> RunError:
    return RunError(f"there are no records in {folder}: name finished runs to make some")


def make_folder(path: Path) -> None:
    """Raises RunError."""
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder {path}: {error.strerror}") from None


def place(record: Record) -> tuple[Any, ...]:
    """Where a record stands on the page: tasks as in the registry, then their arguments, what acts, and names."""
    tasks, task = list(ENVS), record["task"]
    arguments = [(name, natural(value)) for name, value in record["arguments"].items()]
    return (tasks.index(task) if task in tasks else len(tasks), task, arguments, record["continuous"], record["name"])


def natural(value: Any) -> tuple[bool, Any]:
    """To sort by: numbers by their size, then all else by how it is written."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else json.dumps(value)


def read_record(path: Path) -> Record:
    """Raises RunError."""
    try:
        return shown(json.loads(read_bytes(path)))
    except (ValueError, RecursionError):
        raise RunError(
            f"{path} is no record of a run, or one of an earlier version; delete it, and add the run again"
        ) from None


def shown(record: Any) -> Record:
    """A record with its task's ladder of today. Raises ValueError if it is none, or no page could show it."""
    try:
        Kept.model_validate(record)
        today = record | {"ladder": ladder_of(record)}
        page([today], "")
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from None
    return today


def ladder_of(record: Record) -> dict[str, Any] | None:
    """As the task says today, which may have come to know better; as it said then, if it is not of this package."""
    if record["task"] not in ENVS:
        return record["ladder"]
    env = make_env(record["task"], continuous_actions=record["continuous"], **record["arguments"])
    return env.ladder and env.ladder._asdict()
