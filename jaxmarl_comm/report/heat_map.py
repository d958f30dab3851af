"""Who returns what with whom, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.report.figure import plain, save

Found = dict[str, Any]

CELL = (0.62, 0.34)  # inches
MARGIN = (2.2, 2.0)  # for labels and titles
LEAST_WIDTH = 6.0  # for the title
COLOURS = "cividis"  # which the colour-blind see as everyone does (Nuñez et al. 2018); from dark to light
LIGHT = 0.45  # share of a colour's range from which numbers are written in black
FRAME = (("black", 3), ("white", 1))  # seen on dark and on light
MOST = 60  # rows or columns whose numbers can be read


def plot_crossplay(found: Found, path: Path) -> None:
    """A panel for each team with what it returns in each cell; own training partners in frames.

    found: what crossplay.json holds. The picture is a PNG at `path`, with an SVG beside it. Raises RunError.
    """
    names = per_team("return", found["teams"])
    rows, columns = found["rows"], found["columns"]
    width = max(LEAST_WIDTH, len(names) * (MARGIN[0] + CELL[0] * len(columns)))
    figure = Figure(figsize=(width, MARGIN[1] + CELL[1] * len(rows)), layout="constrained")
    axes = figure.subplots(1, len(names), squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=True):
        _draw(axis, np.array(found[name]), rows, columns)
        axis.set_title(name.replace("_", " of "), fontsize=10)
    axes[0].set_ylabel(_who(found, "rows"))
    figure.supxlabel(_who(found, "columns"), fontsize=10)
    own = "framed: trained together"
    figure.suptitle(f"{found['task']}, {found['episodes']:,} episodes in each cell\n{own}", fontsize=10)
    save(figure, path)


def _who(found: Found, side: str) -> str:
    """What stands in rows, or in columns."""
    if len(found["teams"]) > 1:
        return str(found["teams"][side == "columns"])
    agents = found["row_agents" if side == "rows" else "column_agents"]
    return f"seed of {', '.join(agents)}"


def _draw(axis: Axes, returns: np.ndarray, rows: Sequence[Found], columns: Sequence[Found]) -> None:
    low, high = returns.min(), returns.max()
    axis.imshow(returns, cmap=COLOURS, aspect="auto")
    for (row, column), value in np.ndenumerate(returns):
        light = high > low and (value - low) / (high - low) > LIGHT
        if max(returns.shape) <= MOST:
            colour = "black" if light else "white"
            axis.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=7, color=colour)
        if _partners(rows[row], columns[column]):
            for colour, thickness in FRAME:
                box = Rectangle((column - 0.45, row - 0.42), 0.9, 0.84, fill=False)
                axis.add_patch(box).set(edgecolor=colour, linewidth=thickness)
    axis.set_yticks(range(len(rows)), [plain(entry["name"]) for entry in rows], fontsize=8)
    turned: dict[str, Any] = {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
    axis.set_xticks(range(len(columns)), [plain(entry["name"]) for entry in columns], fontsize=8, **turned)


def _partners(row: Found, column: Found) -> bool:
    """Whether these were trained together."""
    return row["seed"] is not None and (row["run"], row["seed"]) == (column["run"], column["seed"])
