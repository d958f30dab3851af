"""The results of a study as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxmarl_comm.envs.base import per_team

Row = dict[str, Any]
Columns = dict[str, Callable[[Row], str]]
NOTHING = "-"


def study_table(rows: Sequence[Row], team_names: Sequence[str] = ("good",)) -> str:
    """Markdown, one line per protocol and value: means over the seeds that did not diverge."""
    columns = columns_of(rows, team_names)
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    lines += ["| " + " | ".join(cell(row) for cell in columns.values()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def columns_of(rows: Sequence[Row], team_names: Sequence[str]) -> Columns:
    """Heading -> what stands under it. What concerns no row has no column."""
    over = " or ".join(dict.fromkeys(row["interval_over"] for row in rows))
    columns: Columns = {"run": lambda row: row["protocol"], "setting": _setting}
    columns |= _of_teams("return", f"return [95 % over {over}]", team_names, _interval)
    columns |= _of_teams("return", "of each seed", team_names, _each_seed)
    for name in dict.fromkeys(name for row in rows for name in row.get("measured", ())):  # older results have none
        columns[name.replace("_", " ")] = lambda row, name=name: _interval(row[name])  # type: ignore[misc]
    columns |= _of_teams("success", "success", team_names, _percent)
    columns |= {
        "I(m; goal)": lambda row: _mean(row["message_information"]),
        "untrained": lambda row: _mean(row["untrained"]["message_information"]),
        "bits/step": lambda row: _mean(row["bits_per_step"]),
    }
    columns |= _of_teams("return_muted", "muted", team_names, _mean)
    columns["formed"] = _formed
    if any(row["diverged"] for row in rows):
        columns["diverged"] = lambda row: str(row["diverged"])
    if levels := {row["steps_to_level"]["level"] for row in rows if "steps_to_level" in row}:
        columns[f"steps to {max(levels):g} (seeds)"] = _steps_to_level
    return columns | {"steps/s": lambda row: f"{row['steps_per_second']:,.0f}"}


def _of_teams(measure: str, heading: str, team_names: Sequence[str], cell: Callable[[Any], str]) -> Columns:
    names = per_team(measure, team_names)
    headings = [heading] if len(names) == 1 else [f"{heading}, {team}" for team in team_names]
    return {
        heading: lambda row, name=name: cell(row[name])  # type: ignore[misc]
        for heading, name in zip(headings, names, strict=True)
    }


def _setting(row: Row) -> str:
    return f"{row['field']} = {row['value']}" if row["field"] else NOTHING


def _formed(row: Row) -> str:
    """`60% [23%, 88%]`."""
    if row["protocol_fraction"] is None:
        return NOTHING
    interval = row.get("protocol_interval")  # older results have none
    return f"{row['protocol_fraction']:.0%}" + (f" [{interval[0]:.0%}, {interval[1]:.0%}]" if interval else "")


def _mean(found: dict[str, Any]) -> str:
    return NOTHING if found["mean"] is None else f"{found['mean']:.2f}"


def _percent(found: dict[str, Any]) -> str:
    return NOTHING if found["mean"] is None else f"{found['mean']:.0%}"


def _interval(found: dict[str, Any]) -> str:
    return _mean(found) + ("" if found["low"] is None else f" [{found['low']:.2f}, {found['high']:.2f}]")


def _each_seed(found: dict[str, Any]) -> str:
    return ", ".join(NOTHING if x is None else f"{x:.2f}" for x in found["of_each_seed"])


def _steps_to_level(row: Row) -> str:
    """The median, and how many seeds get there: `1.02 M (4 of 5)`."""
    found = row["steps_to_level"]
    median = NOTHING if found["median"] is None else f"{found['median'] / 1e6:.2f} M"
    return f"{median} ({found['reached']} of {len(found['of_each_seed'])})"
