"""Learning curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

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
    "policy_grad_norm": "norm of policies' gradients",
    "critic_grad_norm": "norm of critics' gradients",
}
AGAINST_SECONDS = ("return", "eval_return")
"""What is shown a second time, against the seconds of training where these are known."""
LABELS = {"steps": "million environment steps per seed", "seconds": "seconds of training"}
WIDTH = 3  # panels side by side


class Panel(NamedTuple):
    """name: of PANELS. against: of LABELS. columns: team -> the column of metrics.jsonl; all together is ""."""

    name: str
    against: str
    columns: dict[str, str]


def plot_curves(
    rows: Sequence[Row],
    path: Path,
    title: str,
    ladder: Ladder | None = None,
    control: Mapping[str, Any] | None = None,
    team_names: Sequence[str] = ("good",),
    seconds: Mapping[int, float] = MappingProxyType({}),
    of_task: bool = True,
) -> None:
    """Draw what rows of metrics.jsonl hold of PANELS: the mean over seeds, each seed, and a line per team.

    ladder: silent optimum and oracle, drawn where returns are. control: estimates of the trained silent control by
    measure, as in evaluation.json. seconds: of training until an iteration, against which returns are drawn, too.
    of_task: whether returns in training are of the task, and not of `train_env`, which the ladder knows nothing of.
    The picture is a PNG at `path`, with an SVG beside it. Raises RunError.
    """
    timed = [row for row in rows if row.get("iteration") in seconds]
    places = {
        "steps": [(row, row["env_steps"] / 1e6) for row in rows],
        "seconds": [(row, seconds[row["iteration"]]) for row in timed],
    }
    panels = _panels(rows, timed, team_names)
    height = max(1, ceil(len(panels) / WIDTH))
    figure = blank(4 * WIDTH, 1.2 + 2.6 * height)
    axes = figure.subplots(height, WIDTH, squeeze=False).ravel()
    of_kind: dict[str, Axes] = {}
    for axis, panel in zip(axes, panels, strict=False):
        axis.sharex(of_kind.setdefault(panel.against, axis))
        _draw_panel(axis, panel, places[panel.against])
        if of_task or panel.name.startswith("eval_"):
            _draw_yardsticks(axis, panel.name.removeprefix("eval_"), ladder, control or {}, team_names)
    for k, panel in enumerate(panels):
        if k + WIDTH >= len(panels) or panels[k + WIDTH].against != panel.against:
            axes[k].set_xlabel(LABELS[panel.against], fontsize=9)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    figure.suptitle("\n".join([title, *_explanation(rows, team_names)]), fontsize=11)
    draw_legend(figure)
    save(figure, path)


def _panels(rows: Sequence[Row], timed: Sequence[Row], team_names: Sequence[str]) -> list[Panel]:
    """Those for which there is something to draw, in their order."""
    wanted = [(name, "steps", rows) for name in PANELS] + [(name, "seconds", timed) for name in AGAINST_SECONDS]
    panels = [
        Panel(name, against, columns_of(name, team_names, {column for row in some for column in row}))
        for name, against, some in wanted
    ]
    return [panel for panel in panels if panel.columns]


def columns_of(name: str, team_names: Sequence[str], known: set[str]) -> dict[str, str]:
    """Team -> the column of a measure; all teams' together stands under ""."""
    if len(team_names) == 1 or name in known:
        return {"": name} if name in known else {}
    columns = dict(zip(team_names, per_team(name, team_names), strict=True))
    return {team: column for team, column in columns.items() if column in known}


def _draw_panel(axis: Axes, panel: Panel, rows: Sequence[tuple[Row, float]]) -> None:
    """rows: each with its place on the horizontal axis."""
    axis.set_title(PANELS[panel.name] + ", in time" * (panel.against == "seconds"), fontsize=10)
    axis.grid(alpha=0.3)
    if panel.name == "eval_success":
        axis.set_ylim(*SHARE)
    for k, (team, column) in enumerate(panel.columns.items()):
        of_column = [(at, row[column]) for row, at in rows if row.get(column) is not None]
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
