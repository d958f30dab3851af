"""The results of a study as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
