"""How runs of one task learned, in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.report.figure import draw_legend, draw_levels, plain, save, style
from jaxmarl_comm.results.page import told

Record = dict[str, Any]


def plot_task(records: Sequence[Record], path: Path) -> None:
    """Greedy returns of all runs of a task: mean over seeds and the span of all of them.

    A row of panels for each kind of actions and each set of the task's arguments, whose levels differ; in it one for
    each team. records: in the order of the page. A PNG at `path`, an SVG beside it. Raises RunError.
    """
    kinds, teams = [list(of_kind) for _, of_kind in groupby(records, key=kind)], records[0]["teams"]
    figure = Figure(figsize=(6.5 * len(teams), 4.2 * len(kinds)), layout="constrained")
    looks = {record["name"]: k for k, record in enumerate(records)}
    for row, of_kind in zip(figure.subplots(len(kinds), len(teams), squeeze=False), kinds, strict=True):
        for axis, team, column in zip(row, teams, per_team("eval_return", teams), strict=True):
            draw_kind(axis, of_kind, column, looks)
            of_side = f"{team}, against the other side of the same run"
            axis.set_title("\n".join([kind(of_kind[0]), *[of_side] * (len(teams) > 1)]), fontsize=10)
    draw_legend(figure)
    save(figure, path)


def kind(record: Record) -> str:
    """Of runs that may be compared: `simple_spread_v3, N: 6, continuous actions`."""
    return ", ".join([record["task"], *told(record), *["continuous actions"] * record["continuous"]])


def draw_kind(axis: Axes, records: Sequence[Record], column: str, looks: Mapping[str, int]) -> None:
    """Runs that may be compared, and between what they stand."""
    for record in records:
        draw_run(axis, record["name"], record["curve"]["env_steps"], record["curve"].get(column), looks[record["name"]])
    if ladder := records[0]["ladder"]:
        draw_levels(axis, {"silent optimum": ladder["silent"], "oracle": ladder["oracle"]})
    axis.set_xlabel("million environment steps per seed")
    axis.set_ylabel("return, greedy, mean over agents")
    axis.grid(alpha=0.3)


def draw_run(axis: Axes, name: str, steps: list[int], values: list[list[float | None]] | None, k: int) -> None:
    """values: `[evaluations, seeds]`; nothing is drawn of a run that was not evaluated in training."""
    if not values:
        return
    at, of_seeds, look = np.array(steps) / 1e6, np.array(values, float), style(k)
    axis.plot(at, np.nanmean(of_seeds, axis=1), label=plain(name), markevery=max(1, len(at) // 8), **look)
    low, high = np.nanmin(of_seeds, axis=1), np.nanmax(of_seeds, axis=1)
    axis.fill_between(at, low, high, color=look["color"], alpha=0.15, linewidth=0)
