"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.report.figure import COLOURS, DASHES, SHARE, blank, draw_legend, draw_levels, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]

PANELS = {
    "return": "return in training, mean over agents",
    "eval_return": "return, greedy, mean over agents",
    "eval_success": "success, greedy",
    "eval_message_information": "I(message; goal) (nats)",
    "entropy": "policy entropy (nats)",
    "policy_loss": "policy loss",
    "value_loss": "value loss",
    "critic_loss": "critics' squared error",
    "approx_kl": "approximate KL of an update (nats)",
}
WIDTH = 3  # panels side by side


def plot_curves(
    rows: Sequence[Row],
    path: Path,
    title: str,
    ladder: Ladder | None = None,
    control: Mapping[str, Any] | None = None,
    team_names: Sequence[str] = ("good",),
) -> None:
    """Draw what rows of metrics.jsonl hold of PANELS: the mean over seeds, each seed, and a line per team.

    ladder: silent optimum and oracle, drawn where returns are. control: estimates of the trained silent control by
    measure, as in evaluation.json. The picture is a PNG at `path`, with an SVG beside it. Raises RunError.
    """
    known = {name for row in rows for name in row}
    panels = {name: columns for name in PANELS if (columns := columns_of(name, team_names, known))}
    height = max(1, ceil(len(panels) / WIDTH))
    figure = blank(4 * WIDTH, 1.2 + 2.6 * height)
    axes = figure.subplots(height, WIDTH, sharex=True, squeeze=False).ravel()
    for axis, (name, columns) in zip(axes, panels.items(), strict=False):
        _draw_panel(axis, rows, columns)
        if name == "eval_success":
            axis.set_ylim(*SHARE)
        _draw_yardsticks(axis, name.removeprefix("eval_"), ladder, control or {}, team_names)
        axis.set_title(PANELS[name], fontsize=10)
        axis.grid(alpha=0.3)
        axis.tick_params(labelbottom=True)
    for axis in axes[max(0, len(panels) - WIDTH) : len(panels)]:
        axis.set_xlabel("million environment steps per seed", fontsize=9)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.suptitle("\n".join([title, *_explanation(rows, team_names)]), fontsize=11)
    draw_legend(figure)
    save(figure, path)


def columns_of(name: str, team_names: Sequence[str], known: set[str]) -> dict[str, str]:
    """Team -> the column of a measure; all teams' together stands under ""."""
    if len(team_names) == 1 or name in known:
        return {"": name} if name in known else {}
    columns = dict(zip(team_names, per_team(name, team_names), strict=True))
    return {team: column for team, column in columns.items() if column in known}


def _draw_panel(axis: Axes, rows: Sequence[Row], columns: Mapping[str, str]) -> None:
    for k, (team, column) in enumerate(columns.items()):
        of_column = [(row["env_steps"] / 1e6, row[column]) for row in rows if row.get(column) is not None]
        steps, values = np.array([at for at, _ in of_column]), np.array([seeds for _, seeds in of_column], float)
        colour = COLOURS[k]
        if values.shape[-1] > 1:
            for seed in values.T:
                _draw_line(axis, steps, seed, color=colour, alpha=0.4, linewidth=0.6)
        _draw_line(axis, steps, values.mean(axis=1), color=colour, linestyle=DASHES[k], linewidth=2, label=team or None)


def _draw_line(axis: Axes, steps: np.ndarray, values: np.ndarray, **look: Any) -> None:
    """Through what is known: a return is not, as long as no episode has ended."""
    known = np.isfinite(values)
    axis.plot(steps[known], values[known], marker="." if known.sum() < 3 else "", **look)


def _draw_yardsticks(
    axis: Axes, measure: str, ladder: Ladder | None, control: Mapping[str, Any], team_names: Sequence[str]
) -> None:
    if measure == "return" and ladder:
        draw_levels(axis, {"silent optimum": ladder.silent, "oracle": ladder.oracle})
    for k, name in enumerate(per_team(measure, team_names)):
        if name in control:
            draw_levels(axis, {"trained silent control": control[name]["mean"]}, COLOURS[k])


def _explanation(rows: Sequence[Row], team_names: Sequence[str]) -> list[str]:
    """What the lines are, in words."""
    num_seeds = max((len(row.get(name, [])) for row in rows for name in per_team("return", team_names)), default=0)
    return [f"thick lines: mean of {num_seeds} seeds, thin lines: each seed"] if num_seeds > 1 else []
