"""The folder in which a run leaves everything: config, metrics, checkpoints, curves, evaluation.

A folder may come from a stranger: nothing that is read here runs code, nothing that is written here goes elsewhere.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, ConfigError, differing_keys, load_config
from jaxmarl_comm.files import RunError, append_line, check_folder, create_folder, locked, read_bytes, write_whole

__all__ = ["RunError", "RunFolder", "check_goes_on", "without_nan", "write_whole"]

MAY_DIFFER = (
    "num_iters",
    "log_interval",
    "checkpoint_interval",
    "eval_interval",
    "eval_episodes",
    "eval_episodes_mpe2",
    "control",
)
"""Settings that change nothing of what was learned so far. num_iters may only grow."""

Row = dict[str, Any]


class RunFolder:
    """Paths and files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.metrics = path / "metrics.jsonl"
        self.checkpoints = path / "checkpoints"
        self.curves = path / "curves.png"
        self.evaluation = path / "evaluation.json"
        self.messages = path / "messages.png"
        self.control = path / "control"
        self._identity = _identity(path)

    @classmethod
    def create(cls, path: Path, cfg: Config) -> RunFolder:
        """A new folder with its config. Raises RunError if it exists or cannot be written."""
        create_folder(path, {"config.yaml": cfg.to_yaml()})
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> tuple[RunFolder, Config]:
        """An existing folder and its config. Raises RunError if there is none."""
        folder = cls(path)
        try:
            read_bytes(folder.config)
            check_folder(folder.control)
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
        folder, saved = cls.open(path)
        cfg = wanted if isinstance(wanted, Config) else saved.replace(wanted or {})
        check_goes_on(saved, cfg, f"run folder {path} holds a run")
        return folder, cfg

    def locked(self) -> AbstractContextManager[None]:
        """While inside, no other process writes here. Raises RunError if one does, or if nothing can be written."""
        return locked(self.path)

    def check_there(self) -> None:
        """Raises RunError if the folder was moved or deleted since this object was made: nothing must go elsewhere."""
        if self._identity is None or _identity(self.path) != self._identity:
            raise RunError(
                f"run folder {self.path} was moved or deleted while in use; if it was moved, go on with --resume there"
            )

    @staticmethod
    def default_path(config_name: str) -> Path:
        """`runs/<config>-<time>`."""
        return Path("runs") / f"{config_name}-{time.strftime('%Y%m%d-%H%M%S')}"

    def another_evaluation(self) -> Path:
        """A name for an evaluation beside the run's own: `evaluation-1.json`, or the first that is free."""
        names = (self.path / f"evaluation-{k}.json" for k in count(1))
        return next(path for path in names if not os.path.lexists(path))

    def write_config(self, cfg: Config) -> None:
        """Raises RunError."""
        self.check_there()
        write_whole(self.config, cfg.to_yaml())

    def write_json(self, path: Path, content: Any) -> None:
        """Raises RunError."""
        self.check_there()
        write_whole(path, json.dumps(without_nan(content), indent=2) + "\n")

    def append_metrics(self, row: Row) -> None:
        """One line of metrics.jsonl. Nothing of the clock is in it, so that a resumed run writes the same lines.

        Raises RunError.
        """
        self.check_there()
        append_line(self.metrics, json.dumps(without_nan(row)))

    def read_metrics(self) -> list[Row]:
        """The rows so far, without what is damaged. Raises RunError."""
        return [row for line in self._metrics_lines() if (row := _row(line)) is not None]

    def rewind_metrics(self, iteration: int, tell: Callable[[str], None]) -> None:
        """Forget the rows after this iteration, which a resumed run writes again; say which lines are damaged.

        A last line without its end was being written when the process died, which is no damage. Raises RunError.
        """
        kept, damaged = [], []
        for number, line in enumerate(lines := self._metrics_lines(), start=1):
            row = _row(line)
            if row is None and (number < len(lines) or line.endswith(b"\n")):
                damaged.append(number)
            elif row is not None and row["iteration"] <= iteration:
                kept.append(line.rstrip(b"\n") + b"\n")
        if damaged:
            tell(f"{self.metrics}: damaged lines are left out: {len(damaged)}, the first being line {damaged[0]}")
        if kept != lines:
            self.check_there()
            write_whole(self.metrics, b"".join(kept))

    def _metrics_lines(self) -> list[bytes]:
        try:
            return read_bytes(self.metrics).splitlines(keepends=True)
        except FileNotFoundError:
            return []


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


def without_nan(x: Any) -> Any:
    """The same content with null for NaN and infinity, which JSON does not know."""
    if isinstance(x, dict):
        return {key: without_nan(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [without_nan(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _row(line: bytes) -> Row | None:
    """A row of metrics.jsonl: numbers, or a list of them for all seeds, by name. None if it is damaged."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or type(row.get("iteration")) is not int or type(row.get("env_steps")) is not int:
        return None
    numbers = [x for value in row.values() for x in (value if isinstance(value, list) else [value])]
    return row if all(x is None or type(x) in (int, float) for x in numbers) else None
