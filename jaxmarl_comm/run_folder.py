"""The folder in which a run leaves everything: config, metrics, checkpoints, curves, evaluation."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, ConfigError, differing_keys, load_config


class RunError(RuntimeError):
    """A mistake about a run folder, or a run that failed, told in one line."""


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
        self.seconds = path / "seconds.json"

    @classmethod
    def create(cls, path: Path, cfg: Config) -> RunFolder:
        """A new folder with its config. Raises RunError if it exists or cannot be written."""
        folder = cls(path)
        make_folder(path)
        write_whole(folder.config, cfg.to_yaml())
        return folder

    @classmethod
    def open(cls, path: Path, cfg: Config | None = None) -> tuple[RunFolder, Config]:
        """An existing folder and its config. Raises RunError if there is none, or if `cfg` is given and differs."""
        folder = cls(path)
        if not folder.config.is_file():
            raise RunError(f"{path} is not a run folder: it has no config.yaml")
        try:
            saved = load_config(folder.config)
        except ConfigError as error:
            raise RunError(str(error)) from None
        differing = differing_keys(saved, cfg) if cfg else []
        if cfg and differing:
            raise RunError(
                f"run folder {path} holds a run of another config: {', '.join(differing)} differ; "
                "leave --config and overrides away to resume it as it was"
            )
        return folder, saved

    def check_writable(self) -> None:
        """Raises RunError before work is done whose results could not be kept."""
        if not os.access(self.path, os.W_OK):
            raise RunError(f"cannot write to run folder {self.path}")

    @staticmethod
    def default_path(config_name: str) -> Path:
        """`runs/<config>-<time>`."""
        return Path("runs") / f"{config_name}-{time.strftime('%Y%m%d-%H%M%S')}"

    def write_json(self, path: Path, content: Any) -> None:
        """Raises RunError."""
        write_whole(path, json.dumps(without_nan(content), indent=2) + "\n")

    def append_metrics(self, row: dict[str, Any]) -> None:
        """One line of metrics.jsonl. Nothing of the clock is in it, so that a resumed run writes the same lines."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(without_nan(row)) + "\n")

    def read_metrics(self) -> list[dict[str, Any]]:
        """The rows so far; a last line cut short by a crash is left out."""
        rows: list[dict[str, Any]] = []
        if self.metrics.exists():
            for line in self.metrics.read_text(encoding="utf-8").splitlines():
                try:
                    rows.append(json.loads(line))
                except json.JSONDecodeError:
                    break
        return rows

    def rewind_metrics(self, iteration: int) -> None:
        """Forget the rows after this iteration, which a resumed run writes again."""
        kept = [json.dumps(row) + "\n" for row in self.read_metrics() if row["iteration"] <= iteration]
        write_whole(self.metrics, "".join(kept))

    def read_seconds(self) -> dict[str, float]:
        """Seconds spent so far, by phase."""
        if not self.seconds.exists():
            return {"compile": 0.0, "train": 0.0, "evaluate": 0.0}
        return json.loads(self.seconds.read_text(encoding="utf-8"))


def make_folder(path: Path) -> None:
    """A new folder for results. Raises RunError if it exists or cannot be made."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise RunError(f"run folder {path} exists; choose another --run-dir, or --resume it") from None
    except OSError as error:
        raise RunError(f"cannot create run folder {path}: {error.strerror}") from None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all. Raises RunError."""
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)
        draft.replace(path)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def without_nan(x: Any) -> Any:
    """The same content with null for NaN and infinity, which JSON does not know."""
    if isinstance(x, dict):
        return {key: without_nan(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [without_nan(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x
