"""Somebody's own loads, weather and prices, from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, shown

DAY = 24  # hours
MOST_BYTES = 2**26
BOUNDS = {"load": (0.0, 1e4), "solar": (0.0, 1.0), "wind": (0.0, 1.0), "price": (1e-6, 1e5)}
"""What numbers may be: MW, shares of the plants' power, and $/MWh, which the optimum needs above 0."""


class Readings(NamedTuple):
    """R hours. load: MW `[N, R]`. sun, wind: `[R]`, of the plants' power. price: $/MWh `[R]`."""

    load: np.ndarray
    sun: np.ndarray
    wind: np.ndarray
    price: np.ndarray


def read_csv(path: str, num_grids: int, hours: int) -> Readings:
    """Columns load_1 to load_N, solar, wind and price, an hour in each row, the first at midnight; others are left
    alone.

    hours: of an episode, so many rows at least. Raises ConfigError, in one line, for whatever is wrong with the file.
    """
    rows = _rows(path)
    loads = [f"load_{k + 1}" for k in range(num_grids)]
    columns = {name: _column(path, rows, name) for name in (*loads, "solar", "wind", "price")}
    needed = max(hours, DAY)
    if len(rows) - 1 < needed:
        raise ConfigError(
            f"profiles {path} has {len(rows) - 1} rows of numbers, but needs at least {needed}, an hour each"
        )
    load = np.stack([columns[name] for name in loads])
    return Readings(load, columns["solar"], columns["wind"], columns["price"])


def _rows(path: str) -> list[list[str]]:
    """The head of the table, and what stands below it, without empty lines."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)  # of a device there is no end
        rows = [row for row in csv.reader(content.decode("utf-8-sig").splitlines()) if row]
    except OSError as error:
        raise ConfigError(f"cannot read profiles {path}: {error.strerror}") from None
    except (ValueError, csv.Error):
        raise ConfigError(f"profiles {path} is not a text file of comma-separated values") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"profiles {path} has more than {MOST_BYTES:,} bytes")
    if not rows:
        raise ConfigError(f"profiles {path} is empty: its first line must name the columns")
    if len(rows[0]) == 1 and ";" in rows[0][0]:
        raise ConfigError(f"profiles {path} has semicolons between its columns, but must have commas")
    return [[cell.strip() for cell in row] for row in rows]


def _column(path: str, rows: Sequence[Sequence[str]], name: str) -> np.ndarray:
    """`[R]`, all within the bounds of their kind."""
    head = rows[0]
    if head.count(name) != 1:
        there = "twice" if name in head else f"not{did_you_mean(name, head)}"
        raise ConfigError(f"profiles {path} must have a column '{name}' once, but has it {there}")
    where, (least, most) = head.index(name), BOUNDS[name.partition("_")[0]]
    numbers = np.empty(len(rows) - 1)
    for k, row in enumerate(rows[1:]):
        cell = row[where] if where < len(row) else ""
        try:
            numbers[k] = float(cell)
        except ValueError:
            numbers[k] = np.nan
        if not least <= numbers[k] <= most:
            raise ConfigError(
                f"profiles {path}, row {k + 1}, column '{name}' is {shown(cell)}, but must be a number "
                f"from {least:g} to {most:g}"
            )
    return numbers
