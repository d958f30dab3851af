"""Which message stands for which goal, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DARK = 0.6  # cells from here on are written on in white


def plot_messages(tables: dict[str, dict[str, list[Any]]], path: Path) -> None:
    """One panel for each agent of `message_table`: p(goal | symbol), a row per symbol, the most frequent first."""
    most = max(len(table["symbols"]) for table in tables.values())
    size = (1.5 + 3.5 * len(tables), 1.5 + 0.35 * most)
    figure, axes = plt.subplots(1, len(tables), figsize=size, squeeze=False, layout="constrained")
    for axis, (agent, table) in zip(axes.flat, tables.items(), strict=True):
        counts = np.array(table["counts"])
        used = counts.sum(axis=1, keepdims=True)
        chances = counts / used
        axis.imshow(chances, vmin=0, vmax=1, cmap="Blues", aspect="auto")
        for (row, column), chance in np.ndenumerate(chances):
            colour = "white" if chance >= DARK else "black"
            axis.text(column, row, f"{chance:.0%}", ha="center", va="center", fontsize=8, color=colour)
        shares = (used / used.sum()).ravel()
        names = [f"{symbol} ({share:.0%})" for symbol, share in zip(table["symbols"], shares, strict=True)]
        axis.set_yticks(range(len(names)), names)
        axis.set_xticks(range(counts.shape[1]))
        axis.set_xlabel("goal")
        axis.set_title(agent, fontsize=10)
    axes[0, 0].set_ylabel("symbol (share of messages)")
    figure.suptitle("p(goal | message) of the first seed")
    figure.savefig(path, dpi=120)
    plt.close(figure)
