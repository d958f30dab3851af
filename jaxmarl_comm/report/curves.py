"""Learning curves as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = {
    "return": "return per episode, mean over agents",
    "entropy": "policy entropy (nats)",
    "policy_loss": "policy loss",
    "value_loss": "value loss",
}


def plot_curves(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the rows of metrics.jsonl: mean over seeds, and a band from the lowest to the highest seed."""
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.5), sharex=True, layout="constrained")
    steps = np.array([row["env_steps"] for row in rows]) / 1e6
    for axis, (name, label) in zip(axes.flat, PANELS.items(), strict=True):
        values = np.array([row[name] for row in rows], float)
        known = np.isfinite(values).all(axis=1)
        values, at = values[known], steps[known]
        if len(at):
            axis.fill_between(at, values.min(axis=1), values.max(axis=1), alpha=0.25, linewidth=0)
            axis.plot(at, values.mean(axis=1), marker="." if len(at) < 3 else "")
        axis.set_title(label, fontsize=10)
        axis.grid(alpha=0.3)
    num_seeds = len(rows[0]["return"]) if rows else 0
    figure.suptitle(title + (f" (mean of {num_seeds} seeds, band: lowest to highest)" if num_seeds > 1 else ""))
    figure.supxlabel("environment steps per seed (millions)")
    figure.savefig(path, dpi=120)
    plt.close(figure)
