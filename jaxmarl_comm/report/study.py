"""The results of a study as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from jaxmarl_comm.evaluation.baselines import LADDERS

Row = dict[str, Any]

COLUMNS = {
    "return": "return [95 %]",
    "success": "success",
    "message_information": "I(m; goal)",
    "bits_per_step": "bits/step",
    "return_muted": "muted",
    "protocol_fraction": "formed",
    "steps_per_second": "steps/s",
}


def study_table(rows: Sequence[Row]) -> str:
    """Markdown, one line per protocol and value; means over seeds."""
    lines = ["| protocol | setting | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    for row in rows:
        setting = f"{row['field']} = {row['value']}" if row["field"] else "-"
        cells = [_cell(name, row[name]) for name in COLUMNS]
        lines.append(f"| {row['protocol']} | {setting} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(name: str, value: Any) -> str:
    mean = value["mean"] if isinstance(value, dict) else value
    if mean is None:
        return "-"
    if name == "return":
        interval = f" [{value['low']:.2f}, {value['high']:.2f}]" if value["low"] is not None else ""
        return f"{mean:.2f}{interval}"
    if name in ("success", "protocol_fraction"):
        return f"{mean:.0%}"
    return f"{mean:,.0f}" if name == "steps_per_second" else f"{mean:.2f}"


def plot_study(rows: Sequence[Row], task: str, path: Path) -> None:
    """Return and success against each swept setting, a line per protocol; bars where nothing was swept."""
    fields = list(dict.fromkeys(row["field"] for row in rows))
    figure, axes = plt.subplots(
        2, len(fields), figsize=(1 + 4.5 * len(fields), 7.5), layout="constrained", squeeze=False, sharey="row"
    )
    for column, field in zip(axes.T, fields, strict=True):
        of_field = [row for row in rows if row["field"] == field]
        for axis, measure in zip(column, ("return", "success"), strict=True):
            if field is None:
                _bars(axis, of_field, measure)
            else:
                _lines(axis, of_field, measure)
                axis.set_xlabel(f"comm.{field}")
            axis.set_ylabel("return, mean over agents" if measure == "return" else "success")
            axis.grid(alpha=0.3)
        if task in LADDERS:
            for level, name in ((LADDERS[task].silent, "best silent team"), (LADDERS[task].oracle, "oracle")):
                column[0].axhline(level, color="gray", linestyle=":", linewidth=1)
                column[0].annotate(name, (0.01, level), xycoords=("axes fraction", "data"), fontsize=8, va="bottom")
        column[1].set_ylim(0, 1.02)
        if field is not None:
            column[0].legend(fontsize=8)
    figure.suptitle(f"{task}: mean over seeds, bars: 95 % interval")
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _lines(axis: Any, rows: Sequence[Row], measure: str) -> None:
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        known = [row for row in rows if row["protocol"] == protocol and row[measure]["mean"] is not None]
        means = [row[measure]["mean"] for row in known]
        axis.errorbar(
            [row["value"] for row in known], means, yerr=_errors(known, measure), marker="o", capsize=3, label=protocol
        )


def _bars(axis: Any, rows: Sequence[Row], measure: str) -> None:
    known = [row for row in rows if row[measure]["mean"] is not None]
    means = [row[measure]["mean"] for row in known]
    axis.errorbar(range(len(known)), means, yerr=_errors(known, measure), fmt="o", capsize=3)
    axis.set_xticks(range(len(known)), [row["protocol"] for row in known], rotation=60)


def _errors(rows: Sequence[Row], measure: str) -> list[float]:
    highs = [row[measure]["high"] for row in rows]
    return [0.0 if high is None else high - row[measure]["mean"] for high, row in zip(highs, rows, strict=True)]
