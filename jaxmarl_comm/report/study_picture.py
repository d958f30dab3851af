"""The results of a study as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.report.figure import SHARE, draw_legend, draw_levels, save, style

Row = dict[str, Any]

PANELS = {
    "return": "return, mean over agents",
    "success": "success",
    "seeds": "seeds with a protocol\n(crosses: diverged)",
    "steps_to_level": "million steps to return {level:g}\n(k of n: seeds that reach it)",
}
SPREAD = 0.8  # of the distance between two places on the axis: what stands at one
WIDEST = 0.3  # of that distance: a line's room
LEAST_WIDTH = 7  # inches, for the title
MOST_LABELS = 40  # on an axis
LONG = 6  # labels of more characters are turned


class Line(NamedTuple):
    """The rows of one protocol, as one team sees them.

    label: for the legend, or "". look: colour and marker. team: its number. slot: its number among `slots` that stand
    at the same places. rows: by their places on the axis.
    """

    label: str
    look: dict[str, Any]
    team: int
    slot: int
    slots: int
    rows: dict[int, Row]


class Point(NamedTuple):
    """Something estimated, at a place on the axis."""

    at: float
    mean: float
    low: float
    high: float
    seeds: list[float]


def plot_study(
    rows: Sequence[Row], task: str, path: Path, ladder: Ladder | None = None, team_names: Sequence[str] = ("good",)
) -> None:
    """Draw each of PANELS that the rows know: against protocols, or against each swept setting, a line per protocol.

    Values of a setting stand in order, at equal distances. Every seed is a dot beside mean and interval. The picture is
    a PNG at `path`, with an SVG beside it. Raises RunError.
    """
    fields = list(dict.fromkeys(row["field"] for row in rows))
    places = {field: _places([row for row in rows if row["field"] == field]) for field in fields}
    panels = [name for name in PANELS if any(_has(row, name, team_names) for row in rows)]
    widths = [1 + max(3.5, 0.35 * min(len(values), MOST_LABELS)) for values in places.values()]
    figure = Figure(figsize=(max(LEAST_WIDTH, sum(widths)), 2 + 2.5 * len(panels)), layout="constrained")
    axes = figure.subplots(len(panels), len(fields), squeeze=False, sharex="col", sharey="row", width_ratios=widths)
    for column, field in zip(axes.T, fields, strict=True):
        lines = list(_lines(rows, field, places[field], team_names))
        for axis, name in zip(column, panels, strict=True):
            _draw_panel(axis, name, lines, team_names, linked=field is not None and _are_numbers(places[field]))
        _label_places(column[-1], places[field], field)
    if "return" in panels and ladder and len(team_names) == 1:
        for axis in axes[panels.index("return")]:
            draw_levels(axis, {"silent optimum": ladder.silent, "oracle": ladder.oracle})
    for axis, name in zip(axes[:, 0], panels, strict=True):
        axis.set_ylabel(PANELS[name].format(level=_level(rows)))
    figure.suptitle(f"{task}\n{_explanation(rows)}", fontsize=10)
    draw_legend(figure)
    save(figure, path)


def _place(row: Row) -> Any:
    return row["protocol"] if row["field"] is None else row["value"]


def _places(rows: Sequence[Row]) -> list[Any]:
    """What stands on the axis, in order: protocols, or the values of a setting."""
    places: list[Any] = []
    for row in rows:
        if _place(row) not in places:  # values may be lists, which have no hash
            places.append(_place(row))
    return sorted(places) if _are_numbers(places) else places


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _lines(rows: Sequence[Row], field: str | None, places: list[Any], team_names: Sequence[str]) -> Iterator[Line]:
    """Of one setting: protocols have the same colours everywhere, teams after the first hollow markers."""
    colours = {protocol: k for k, protocol in enumerate(dict.fromkeys(row["protocol"] for row in rows))}
    of_field = [row for row in rows if row["field"] == field]
    protocols = list(dict.fromkeys(row["protocol"] for row in of_field))
    side_by_side = protocols if field is not None else protocols[:1]  # else each has a place of its own
    for protocol in protocols:
        at = {places.index(_place(row)): row for row in of_field if row["protocol"] == protocol}
        for team, team_name in enumerate(team_names):
            names = [protocol] * (field is not None) + [team_name] * (len(team_names) > 1)
            look = style(colours[protocol]) | ({"markerfacecolor": "white"} if team else {})
            slot = team + len(team_names) * (protocols.index(protocol) % len(side_by_side))
            yield Line(", ".join(names), look, team, slot, len(side_by_side) * len(team_names), at)


def _has(row: Row, name: str, team_names: Sequence[str]) -> bool:
    if name == "seeds":
        return row["protocol_fraction"] is not None or row["diverged"] > 0
    if name == "steps_to_level":
        return name in row
    return any(row[column]["mean"] is not None for column in per_team(name, team_names))


def _draw_panel(axis: Axes, name: str, lines: Sequence[Line], team_names: Sequence[str], linked: bool) -> None:
    """All lines side by side at each place: mean and interval on the left of a line's room, its seeds on the right."""
    for line in lines:
        room = min(WIDEST, SPREAD / line.slots)
        centre = room * (line.slot - (line.slots - 1) / 2)
        column = per_team(name, team_names)[line.team]
        if points := list(_points(line, name, column)):
            _draw_points(axis, points, line, (centre - room / 5, centre + room / 5), "-" if linked else "")
        _draw_words(axis, name, line, centre)
    axis.grid(alpha=0.3)
    if name == "steps_to_level":
        axis.margins(y=0.3)  # for words at the foot
    if name == "success":
        axis.set_ylim(*SHARE)
    if name == "seeds":
        axis.set_ylim(-0.3, max(_num_seeds(row) for line in lines for row in line.rows.values()) + 0.3)
        axis.yaxis.set_major_locator(MaxNLocator(integer=True))


def _points(line: Line, name: str, column: str) -> Iterator[Point]:
    for at, row in line.rows.items():
        if name == "seeds":
            if row["protocol_fraction"] is not None:
                yield Point(at, row["protocol_fraction"] * _num_seeds(row), np.nan, np.nan, [])
        elif name == "steps_to_level":
            if line.team == 0 and (steps := row.get(name)):
                median = np.nan if steps["median"] is None else steps["median"] / 1e6
                yield Point(at, median, np.nan, np.nan, _known(steps["of_each_seed"], 1e-6))
        elif row[column]["mean"] is not None:
            low, high = (np.nan if row[column][end] is None else row[column][end] for end in ("low", "high"))
            yield Point(at, row[column]["mean"], low, high, _known(row[column]["of_each_seed"]))


def _known(seeds: Sequence[float | None], unit: float = 1.0) -> list[float]:
    return [seed * unit for seed in seeds if seed is not None]


def _draw_points(axis: Axes, points: Sequence[Point], line: Line, shifts: tuple[float, float], linestyle: str) -> None:
    at, means, lows, highs = np.array([point[:4] for point in points]).T
    bars = [means - lows, highs - means]
    look = line.look | {"linestyle": linestyle, "label": line.label or None}
    axis.errorbar(at + shifts[0], means, yerr=bars, linewidth=1, capsize=3, markersize=6, **look)
    seeds = np.array([(point.at + shifts[1], seed) for point in points for seed in point.seeds]).reshape(-1, 2)
    axis.plot(*seeds.T, linestyle="", marker=".", markersize=5, alpha=0.6, color=line.look["color"])


def _draw_words(axis: Axes, name: str, line: Line, centre: float) -> None:
    """At the foot of a panel, what markers cannot say; among the numbers of seeds, those that diverged."""
    look = {"fontsize": 8, "color": line.look["color"], "ha": "center", "va": "bottom", "rotation": 90}
    for at, row in line.rows.items():
        if name == "seeds" and row["diverged"]:
            axis.plot(at + centre, row["diverged"], linestyle="", marker="x", color="black")
        elif words := _words(name, row):
            axis.text(at + centre, 0.03, words, transform=axis.get_xaxis_transform(), **look)


def _words(name: str, row: Row) -> str:
    num_seeds = _num_seeds(row)
    if name == "seeds":
        return ""
    if row["diverged"] == num_seeds:
        return "diverged"
    reached = row.get("steps_to_level", {}).get("reached", num_seeds)
    return f"{reached} of {num_seeds}" if name == "steps_to_level" and reached < num_seeds else ""


def _num_seeds(row: Row) -> int:
    return len(row["return" if "return" in row else "return_good"]["of_each_seed"])


def _level(rows: Sequence[Row]) -> float:
    """NaN unless steps to one were counted."""
    return next((row["steps_to_level"]["level"] for row in rows if "steps_to_level" in row), np.nan)


def _label_places(axis: Axes, places: Sequence[Any], field: str | None) -> None:
    labels = [f"{place:g}" if _are_numbers([place]) else str(place) for place in places]
    every = ceil(len(places) / MOST_LABELS)
    turned: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
    crowded = len(places) > 10 or max(map(len, labels)) > LONG
    axis.set_xticks(range(0, len(places), every), labels[::every], fontsize=8, **(turned if crowded else {}))
    axis.set_xlim(-0.5, len(places) - 0.5)
    if field is not None:
        axis.set_xlabel(f"comm.{field}")


def _explanation(rows: Sequence[Row]) -> str:
    """What markers, bars and dots are, in words."""
    over = " or ".join(dict.fromkeys(row["interval_over"] for row in rows if row["diverged"] < _num_seeds(row)))
    return f"large markers: mean with 95 % interval over {over or 'seeds'} (of steps: median); dots: each seed"
