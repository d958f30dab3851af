"""How runs of one task learned, in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.report.figure import draw_legend, draw_levels, save, style

Record = dict[str, Any]


def plot_task(records: Sequence[Record], path: Path) -> None:
    """Greedy returns of all runs of a task, a panel for each team: mean over seeds and the span of all of them.

    A PNG at `path`, an SVG beside it. Raises RunError.
    """
    teams = records[0]["teams"]
    figure = Figure(figsize=(6.5 * len(teams), 4.2), layout="constrained")
    for axis, team, column in zip(
        figure.subplots(1, len(teams), squeeze=False)[0], teams, per_team("eval_return", teams), strict=True
    ):
        for k, record in enumerate(records):
            draw_run(axis, record["name"], record["curve"]["env_steps"], record["curve"].get(column), k)
        if ladder := records[0]["ladder"]:
            draw_levels(axis, {"silent optimum": ladder["silent"], "oracle": ladder["oracle"]})
        axis.set_title(records[0]["task"] + (f", {team}, against the other side of the same run" * (len(teams) > 1)))
        axis.set_xlabel("million environment steps per seed")
        axis.set_ylabel("return, greedy, mean over agents")
        axis.grid(alpha=0.3)
    draw_legend(figure)
    save(figure, path)


def draw_run(axis: Axes, name: str, steps: list[int], values: list[list[float | None]] | None, k: int) -> None:
    """values: `[evaluations, seeds]`; nothing is drawn of a run that was not evaluated in training."""
    if not values:
        return
    at, of_seeds, look = np.array(steps) / 1e6, np.array(values, float), style(k)
    axis.plot(at, np.nanmean(of_seeds, axis=1), label=name, markevery=max(1, len(at) // 8), **look)
    low, high = np.nanmin(of_seeds, axis=1), np.nanmax(of_seeds, axis=1)
    axis.fill_between(at, low, high, color=look["color"], alpha=0.15, linewidth=0)
