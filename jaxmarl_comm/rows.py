"""Files with a line of JSON for each iteration that was logged, the last of which may be half-written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxmarl_comm.files import append_line, read_bytes, write_whole

LARGEST = 3.5e38  # what float32 holds is less
Row = dict[str, Any]
IsWhole = Callable[[Row], bool]
"""Whether a row, which has an iteration, has all else that its file is to hold."""


def append_row(path: Path, row: Row) -> None:
    """Raises RunError."""
    append_line(path, json.dumps(without_nan(row)))


def read_rows(path: Path, is_whole: IsWhole) -> list[Row]:
    """Those that are whole: no line is trusted. Raises RunError for what is no regular file."""
    return [row for line in _lines(path) if (row := _row(line, is_whole)) is not None]


def rewind_rows(path: Path, is_whole: IsWhole, iteration: float, tell: Callable[[str], None]) -> None:
    """Forget the rows after this iteration; say which lines are damaged, and leave them out, too.

    A last line without its end was being written when the process died, which is no damage. Raises RunError.
    """
    kept, damaged = [], []
    for number, line in enumerate(lines := _lines(path), start=1):
        row = _row(line, is_whole)
        if row is None and (number < len(lines) or line.endswith(b"\n")):
            damaged.append(number)
        elif row is not None and row["iteration"] <= iteration:
            kept.append(line.rstrip(b"\n") + b"\n")
    if damaged:
        tell(f"{path}: damaged lines are left out: {len(damaged)}, the first being line {damaged[0]}")
    if kept != lines:
        write_whole(path, b"".join(kept))


def of_metrics(num_seeds: int) -> IsWhole:
    """metrics.jsonl: env_steps, and lists of a number for each seed by name."""

    def is_whole(row: Row) -> bool:
        metrics = [x for name, x in row.items() if name not in ("iteration", "env_steps")]
        return _is_count(row.get("env_steps")) and all(_is_of_seeds(x, num_seeds) for x in metrics)

    return is_whole


def of_clock(row: Row) -> bool:
    """clock.jsonl: seconds."""
    return _is_number(row.get("seconds")) and row["seconds"] >= 0


def of_starts(row: Row) -> bool:
    """starts.jsonl: whatever; people read it."""
    return True


def without_nan(x: Any) -> Any:
    """The same content with null for NaN and infinity, which JSON does not know."""
    if isinstance(x, dict):
        return {key: without_nan(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [without_nan(value) for value in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def _lines(path: Path) -> list[bytes]:
    try:
        return read_bytes(path).splitlines(keepends=True)
    except FileNotFoundError:
        return []


def _row(line: bytes, is_whole: IsWhole) -> Row | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(row, dict) and _is_count(row.get("iteration")) and is_whole(row)
    return row if whole else None


def _is_count(x: Any) -> bool:
    return type(x) is int and 0 <= x <= LARGEST


def _is_number(x: Any) -> bool:
    return type(x) in (int, float) and abs(x) <= LARGEST


def _is_of_seeds(x: Any, num_seeds: int) -> bool:
    """Whether this is a list of float32 numbers, null where undefined, for all seeds."""
    return isinstance(x, list) and len(x) == num_seeds and all(n is None or _is_number(n) for n in x)
