"""Estimates as dots on one scale, a row for each: drawn by a browser's own boxes, so that no script is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.numbers import estimate, number
from jaxmarl_comm.report.found import Found

MARGIN = 0.04  # of the scale, on either side


class Dot(NamedTuple):
    """A row: an estimate with its seeds, or a bare level. own: whether it is the run itself, and no yardstick."""

    label: str
    found: Found
    own: bool = False


def level(x: float) -> Found:
    """A number that is known, and no estimate."""
    return Found(mean=x, low=None, high=None, of_each_seed=[])


def dots(rows: Sequence[Dot]) -> Markup | None:
    """Rows in this order; nothing of none. Small dots are seeds, a bar is the 95 % interval."""
    drawn = [row for row in rows if row.found.mean is not None]
    if not drawn:
        return None
    known = [x for row in drawn for x in _numbers(row.found)]
    low, high = min(known), max(known)
    margin = MARGIN * (high - low) or 1.0
    low, high = low - margin, high + margin
    return tag("div", *(_row(row, low, high - low) for row in drawn), class_="dots")


def _numbers(found: Found) -> list[float]:
    return [x for x in (found.mean, found.low, found.high, *found.of_each_seed) if x is not None]


def _row(row: Dot, start: float, width: float) -> Markup:
    def at(x: float) -> str:
        return f"left:{100 * (x - start) / width:.2f}%"

    found, marks = row.found, []
    if found.low is not None and found.high is not None:
        bar = f"{at(found.low)};width:{100 * (found.high - found.low) / width:.2f}%"
        marks.append(tag("i", class_="bar", style=bar))
    marks += [
        tag("i", class_="seed", style=at(x), title=f"seed {k}: {number(x)}")
        for k, x in enumerate(found.of_each_seed)
        if x is not None and len(found.of_each_seed) > 1
    ]
    marks.append(tag("i", class_="mean", style=at(found.mean or 0.0), title=f"{row.label}: {estimate(found)}"))
    parts = [
        tag("span", row.label, class_="label"),
        tag("span", join(marks), class_="track"),
        tag("span", estimate(found), class_="number"),
    ]
    return tag("div", *parts, class_="row own" if row.own else "row")
