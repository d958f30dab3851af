"""Which message stands for which goal, as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmarl_comm.report.figure import blank, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Table = dict[str, Any]

DARK = 0.6  # cells from here on are written on in white


def plot_messages(tables: Mapping[str, Table], path: Path) -> None:
    """One panel for each agent of `message_table`: p(goal | symbol), in the same rows for all, grouped by goal.

    A symbol's goal is the one that it most often meets, all agents taken together: where agents share a code, the dark
    cells of all panels lie in the same places. The picture is a PNG at `path`, with an SVG beside it. Raises RunError.
    """
    goals = goals_of(tables)
    symbols = list(goals)
    figure = blank(1.5 + 3.5 * len(tables), 1.7 + 0.35 * len(symbols))
    axes = figure.subplots(1, len(tables), squeeze=False).ravel()
    for axis, (agent, table) in zip(axes, tables.items(), strict=True):
        _draw_table(axis, table, symbols)
        for row in np.flatnonzero(np.diff([goals[symbol] for symbol in symbols])):
            axis.axhline(row + 0.5, color="black", linewidth=1)
        axis.set_title(f"{agent}: {table['n']:,} messages, I(m; goal) = {_nats(table['information'])}", fontsize=9)
    axes[0].set_ylabel("symbol (share of the agent's messages)")
    explanation = "a symbol stands for the same messages in every panel"
    figure.suptitle(f"p(goal | message) of the first seed\n{explanation}", fontsize=10)
    save(figure, path)


def goals_of(tables: Mapping[str, Table]) -> dict[int, int]:
    """Symbol -> the goal that it most often meets, all agents together; by goals, then the most frequent first."""
    total = _total(tables)
    goals = {symbol: int(counts.argmax()) for symbol, counts in total.items()}
    return {symbol: goals[symbol] for symbol in sorted(total, key=lambda each: (goals[each], -total[each].sum()))}


def _total(tables: Mapping[str, Table]) -> dict[int, np.ndarray]:
    """Symbol -> how often all agents together said it for each goal."""
    total: dict[int, np.ndarray] = {}
    for table in tables.values():
        for symbol, counts in zip(table["symbols"], table["counts"], strict=True):
            total[symbol] = total.get(symbol, 0) + np.array(counts)
    return total


def _draw_table(axis: Axes, table: Table, symbols: Sequence[int]) -> None:
    """Rows of symbols that this agent never uses stay empty."""
    of_symbol = dict(zip(table["symbols"], table["counts"], strict=True))
    nothing = [0] * len(table["counts"][0])
    counts = np.array([of_symbol.get(symbol, nothing) for symbol in symbols])
    used = counts.sum(axis=1)
    chances = counts / np.maximum(used, 1)[:, None]
    axis.imshow(chances, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    for (row, column), chance in np.ndenumerate(chances):
        if used[row]:
            colour = "white" if chance >= DARK else "black"
            axis.text(column, row, f"{chance:.0%}", ha="center", va="center", fontsize=8, color=colour)
    labels = [f"{symbol} ({share:.0%})" for symbol, share in zip(symbols, used / table["n"], strict=True)]
    axis.set_yticks(range(len(symbols)), labels)
    axis.set_xticks(range(counts.shape[1]))
    axis.set_xlabel("goal")


def _nats(information: float | None) -> str:
    return "undefined" if information is None else f"{information:.2f} nats"
