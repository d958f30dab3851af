"""What a checkpoint says of itself, also for those who need not know what is in it, nor how it is read."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, FiniteFloat, NonNegativeFloat, NonNegativeInt, ValidationError

from jaxmarl_comm.files import RunError, check_folder, read_bytes

RECORD = "record.json"
PACKAGES = ("jaxmarl_comm", "jax", "jaxlib", "flax", "optax", "distrax", "numpy", "orbax-checkpoint")


class CheckpointError(RunError):
    """A checkpoint that cannot be used."""


class Record(BaseModel):
    """What a checkpoint says of itself.

    config: the run's settings. versions: of Python and packages that computed it. seconds: spent so far, by phase.
    files: name -> SHA-256. greedy_return: what its teams returned when they were saved for it; else None.
    """

    iteration: NonNegativeInt
    config: dict[str, Any]
    versions: dict[str, str]
    seconds: dict[str, NonNegativeFloat]
    files: dict[str, str]
    greedy_return: FiniteFloat | None = None


def newest_record(folder: Path) -> Record | None:
    """Of the newest checkpoint in this folder, whatever became of its other files; None if it has none to be read."""
    for iteration in reversed(iterations_in(folder)):
        try:
            check_folder(folder / str(iteration))
            return Record.model_validate_json(read_bytes(folder / str(iteration) / RECORD))
        except (OSError, RunError, ValidationError):
            continue
    return None


def iterations_in(folder: Path) -> list[int]:
    """Of all checkpoints that there are, in order."""
    there = folder.iterdir() if folder.is_dir() else ()
    return sorted(int(path.name) for path in there if _is_number(path.name))


def versions() -> dict[str, str]:
    """Of Python and of the packages that decide what a run computes."""
    return {"python": platform.python_version(), **{name: package_version(name) for name in PACKAGES}}


def package_version(package: str) -> str:
    """`unknown` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:  # imported from a folder that was never installed
        return "unknown"


def _is_number(name: str) -> bool:
    """As we write it: `007` is nothing of ours."""
    return name.isascii() and name.isdecimal() and str(int(name)) == name
