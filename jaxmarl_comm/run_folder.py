"""The folder in which a run leaves everything: config, metrics, checkpoints, curves, evaluation.

A folder may come from a stranger: nothing that is read here runs code, nothing that is written here goes elsewhere.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, ConfigError, differing_keys, load_config
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.outside import from_stranger
from jaxmarl_comm.files import (
    RunError,
    check_folder,
    clear_drafts,
    create_folder,
    locked,
    read_bytes,
    write_new,
    write_whole,
)
from jaxmarl_comm.rows import Row, append_row, of_clock, of_metrics, of_starts, read_rows, rewind_rows, without_nan
from jaxmarl_comm.suggest import listed

__all__ = ["RunError", "RunFolder", "check_goes_on", "without_nan", "write_whole"]

MAY_DIFFER = (
    "num_iters",
    "log_interval",
    "checkpoint_interval",
    "eval_interval",
    "eval_episodes",
    "eval_episodes_reference",
    "control",
)
"""Settings that change nothing of what was learned so far. num_iters may only grow."""

KINDS = (".png", ".svg")  # of a picture


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.clock = path / "clock.jsonl"
        self.starts = path / "starts.jsonl"
        self.checkpoints = path / "checkpoints"
        self.best = path / "best"
        self.curves = path / "curves.png"
        self.evaluation = path / "evaluation.json"
        self.messages = path / "messages.png"
        self.report = path / "report.html"
        self.control = path / "control"
        self.fittest = path / "fittest"
        self.generations = path / "generations.png"
        self.opponents = path / "opponents"
        self.tensorboard = path / "tensorboard"
        self.wandb = path / "wandb"
        drawn = (self.curves, self.messages, self.generations)
        pictures = [picture.with_suffix(kind) for picture in drawn for kind in KINDS]
        files = (self.config, self.metrics, self.clock, self.starts, self.evaluation, self.report)
        written = (*files, self.control, self.fittest, self.tensorboard, self.wandb, *pictures)
        self._own = [file.name for file in written]
        self._identity = _identity(path)

    @classmethod
    def create(cls, path: Path, cfg: Config, fill: Callable[[RunFolder], None] = lambda draft: None) -> RunFolder:
        """A new folder with its config, and what else it is filled with before anyone sees it.

        Raises RunError if it exists or cannot be written, and what `fill` raises.
        """
        create_folder(path, {"config.yaml": cfg.to_yaml()}, lambda draft: fill(cls(draft)))
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> tuple[RunFolder, Config]:
        """An existing folder and its config: of populations, that of their fittest members. Raises RunError."""
        folder, cfg = cls.read(path)
        if not cfg.evolves:
            return folder, cfg
        if not folder.fittest.exists():
            raise RunError(f"{path} is an evolution that has not come to its end: go on with --resume {path}")
        return cls.read(folder.fittest)

    @classmethod
    def read(cls, path: Path) -> tuple[RunFolder, Config]:
        """An existing folder, whatever it is of, and its config. Raises RunError if there is none."""
        folder = cls(path)
        try:
            read_bytes(folder.config)
            check_folder(folder.fittest)
            check_folder(folder.control)
            check_folder(folder.opponents)
            with from_stranger(path):
                return folder, load_config(folder.config)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{path} is not a run folder: it has no config.yaml") from None
        except ConfigError as error:
            raise RunError(str(error)) from None

    @classmethod
    def resume(cls, path: Path, wanted: Config | Mapping[str, Any] | None = None) -> tuple[RunFolder, Config]:
        """An existing folder and the config to go on with: its own, with the wanted dotted changes, or the one wanted.

        Raises RunError if there is no run, or if it cannot go on so; ConfigError for changes that are wrong.
        """
        folder, saved = cls.read(path)
        cfg = wanted if isinstance(wanted, Config) else saved.replace(wanted or {})
        check_goes_on(saved, cfg, f"run folder {path} holds a run")
        return folder, cfg

    def put_fittest_aside(self) -> Path | None:
        """Where the fittest of an earlier end are from now on, `fittest-1` or so; None if there are none.

        Raises RunError where somebody is at work there.
        """
        if not self.fittest.exists():
            return None
        with locked(self.fittest):
            try:
                return self.fittest.rename(next_free(self.path, self.fittest.name))
            except OSError as error:
                raise RunError(f"cannot rename {self.fittest}: {error.strerror}") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While inside, no other process writes here. Raises RunError if one does, or if nothing can be written."""
        with locked(self.path):
            clear_drafts(self.path, self._own)
            yield

    def check_there(self) -> None:
        """Raises RunError if the folder was moved or deleted since this object was made: nothing must go elsewhere."""
        if self._identity is None or _identity(self.path) != self._identity:
            raise RunError(
                f"run folder {self.path} was moved or deleted while in use; if it was moved, go on with --resume there"
            )

    @staticmethod
    def default_path(config_name: str) -> Path:
        """`runs/<config>-<time>`; of a name with colons, which not every tool takes, with hyphens."""
        return Path("runs") / f"{config_name.replace(':', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"

    def numbered(self, stem: str, suffix: str) -> Iterator[Path]:
        """Free names for one more file of a kind, `evaluation-1.json` and so on."""
        return (path for k in count(1) if not taken(path := self.path / f"{stem}-{k}{suffix}"))

    def write_config(self, cfg: Config) -> None:
        """Raises RunError."""
        self.check_there()
        write_whole(self.config, cfg.to_yaml())

    def write_json(self, path: Path, content: Any) -> None:
        """Raises RunError."""
        self.check_there()
        write_whole(path, json.dumps(without_nan(content), indent=2) + "\n")

    def write_new_json(self, paths: Iterable[Path], content: Any) -> Path:
        """`write_new_file` of JSON."""
        return self.write_new_file(paths, json.dumps(without_nan(content), indent=2) + "\n")

    def write_new_file(self, paths: Iterable[Path], content: str | bytes) -> Path:
        """The first of these files that does not exist by now, written. Raises RunError if there is none."""
        self.check_there()
        for path in paths:
            try:
                write_new(path, content)
                return path
            except FileExistsError:
                tried = path
        raise RunError(f"{tried} exists by now; choose another file")

    def append_metrics(self, row: Row) -> None:
        """One line of metrics.jsonl. Nothing of the clock is in it, so that a resumed run writes the same lines.

        Raises RunError.
        """
        self.check_there()
        append_row(self.metrics, row)

    def append_clock(self, iteration: int, seconds: float) -> None:
        """One line of clock.jsonl: how long training had taken by then. Raises RunError."""
        append_row(self.clock, {"iteration": iteration, "seconds": round(seconds, 3)})

    def append_start(self, iteration: int, start: Row, tell: Callable[[str], None]) -> None:
        """One line of starts.jsonl, below what was there: how the run went on from this iteration. Raises RunError."""
        self.check_there()
        rewind_rows(self.starts, of_starts, math.inf, tell)  # a torn last line would spoil the next
        append_row(self.starts, {"iteration": iteration, **start})

    def read_metrics(self, num_seeds: int) -> list[Row]:
        """The rows so far, without what is damaged. Raises RunError."""
        return read_rows(self.metrics, of_metrics(num_seeds))

    def read_clock(self) -> dict[int, float]:
        """Iteration -> the seconds that training had taken by then, as far as it is known. Raises RunError."""
        return {row["iteration"]: row["seconds"] for row in read_rows(self.clock, of_clock)}

    def rewind(self, iteration: int, num_seeds: int, tell: Callable[[str], None]) -> None:
        """Forget what was logged after this iteration, which a resumed run writes again. See `rewind_rows`."""
        self.check_there()
        rewind_rows(self.metrics, of_metrics(num_seeds), iteration, tell)
        rewind_rows(self.clock, of_clock, iteration, tell)


def picture_beside(evaluation: Path) -> Path:
    """Where the messages of an evaluation that is not the run's own are drawn."""
    return evaluation.with_name(f"{evaluation.stem}-messages.png")


def report_beside(evaluation: Path) -> Path:
    """Where the page of an evaluation that is not the run's own is."""
    return evaluation.with_name(f"{evaluation.stem}-report.html")


def taken(path: Path) -> Path | None:
    """What is there already of a file and of what lies beside it (see `picture_beside`, `report_beside`)."""
    pictures = (picture_beside(path).with_suffix(kind) for kind in KINDS)
    return next((there for there in (path, report_beside(path), *pictures) if os.path.lexists(there)), None)


def new_file(path: Path, *suffixes: str) -> Path:
    """A file that is to be written. Raises RunError before work is done whose results could not be kept."""
    if path.suffix not in suffixes:
        raise RunError(f"{path} is no name for what is written here, which is a {listed(suffixes, 'or')} file")
    if there := taken(path):
        raise RunError(f"{there} exists; choose another file")
    check_can_hold(path.parent)
    return path


def check_can_hold(folder: Path) -> None:
    """Raises RunError unless files can be made in this folder."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise RunError(f"cannot write to {folder}")


def check_goes_on(before: Config, now: Config, what: str) -> None:
    """Raises RunError, which begins with `what`, unless a run of the config `before` can go on under `now`."""
    differing = [key for key in differing_keys(before, now) if key not in MAY_DIFFER]
    if differing:
        raise RunError(
            f"{what} of another config: {', '.join(differing)} differ; only num_iters (to go on for longer) and "
            "how often to log, save and evaluate may change in a run that goes on"
        )
    if now.num_iters < before.num_iters:
        raise RunError(f"{what} of {before.num_iters} iterations; num_iters is {now.num_iters}, but can only grow")


def numbers(run: Path, name: str) -> list[int]:
    """Those of `NAME-1`, `NAME-2`, ... that are in a run's folder, the latest last. Raises RunError."""
    try:
        entries = os.listdir(run)
    except OSError as error:
        raise RunError(f"cannot read {run}: {error.strerror}") from None
    return sorted(int(found[1]) for entry in entries if (found := re.fullmatch(rf"{name}-([1-9][0-9]*)", entry)))


def next_free(run: Path, name: str) -> Path:
    """`NAME-1` in a run's folder, or the number after the last. Raises RunError."""
    return run / f"{name}-{max(numbers(run, name), default=0) + 1}"


def check_free(folder: Path) -> None:
    """Raises RunError before work is done whose results could not be kept."""
    if os.path.lexists(folder):
        raise RunError(f"{folder} exists; choose another folder for the results")
    check_can_hold(folder.absolute().parent)


def task_differences(one: Config, other: Config) -> list[str]:
    """Settings in which the tasks of two runs differ, whoever plays in them; empty if they are the same."""
    a, b = (make_env(cfg.env.name, **cfg.env.arguments) for cfg in (one, other))
    return [] if a == b else [key for key in differing_keys(one, other) if key.startswith("env.")]


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
