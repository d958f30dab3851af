"""Who returns what with whom, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jaxmarl_comm.envs.base import per_team

Found = dict[str, Any]

CELL = 9  # characters of a number
OF_TEAMS = {
    "mean": "mean over opponents",
    "worst": "against the worst",
    "diagonal_advantage": "advantage against the own partner",
}
OF_ALL = {
    "own_partner": "with the own partner",
    "strangers": "with strangers",
    "lost_with_strangers": "what strangers lose",
}
NASH = "Nash average: return against the hardest mixture of opponents; weight: in the best mixture against all of them"
TOLD = "* knows what its agents cannot: a bound, which counts neither as an opponent nor in the Nash average"


def crossplay_table(found: Found) -> str:
    """What crossplay.json holds, for people."""
    title = f"{found['task']}: returns, greedy, mean over a team's agents, in {found['episodes']:,} common episodes"
    return "\n".join([title, *(_competing(found) if len(found["teams"]) > 1 else _strangers(found))])


def _competing(found: Found) -> Iterator[str]:
    good, adversary = found["teams"]
    for name in per_team("return", found["teams"]):
        yield from _matrix(f"{name.replace('_', ' of ')}: {good} (rows) against {adversary} (columns)", found, name)
    for team, side in zip(found["teams"], ("rows", "columns"), strict=True):
        yield from _standings(team, found[side], found[f"hardest_mixture_{team}"])
    yield f"\n{NASH}"
    if any(entry["told"] for side in ("rows", "columns") for entry in found[side]):
        yield TOLD
    yield ""
    for run in found["runs"]:
        for measure, label in OF_TEAMS.items():
            for team, name in zip(found["teams"], per_team(measure, found["teams"]), strict=True):
                yield from _estimated(f"{run['name']}, {team}: {label}", run[name])


def _strangers(found: Found) -> Iterator[str]:
    rows, columns = (", ".join(found[f"{side}_agents"]) for side in ("row", "column"))
    yield from _matrix(f"{rows}: of the row's seed; {columns}: of the column's", found, "return")
    yield ""
    for measure, label in OF_ALL.items():
        yield from _estimated(label, found[measure])


def _matrix(title: str, found: Found, name: str) -> Iterator[str]:
    """Columns are numbered; the error is the largest of all cells'."""
    labels, error = _labels(found["rows"]), found[name.replace("return", "largest_standard_error")]
    width = max(map(len, labels))
    yield f"\n{title}; standard error of a cell: at most {error:.2f}"
    yield " " * width + "".join(f"{k:>{CELL}}" for k in range(1, len(found["columns"]) + 1))
    for label, row in zip(labels, found[name], strict=True):
        yield f"{label:{width}}" + "".join(f"{value:{CELL}.2f}" for value in row)


def _standings(team: str, entries: Sequence[Found], hardest: Found) -> Iterator[str]:
    """How each of a side does; who is not ranked has no rating."""
    labels = _labels(entries)
    width = max(map(len, labels))
    yield f"\n{team:{width}}{'mean':>{CELL}}{'Nash avg':>{CELL}}{'weight':>{CELL}}{'worst':>{CELL}}  against"
    for label, entry in zip(labels, entries, strict=True):
        values = [entry[name] for name in ("mean", "nash_average", "nash_weight", "worst")]
        numbers = "".join(f"{'-':>{CELL}}" if x is None else f"{x:{CELL}.2f}" for x in values)
        yield f"{label:{width}}{numbers}  {entry['worst_against']}"
    yield f"hardest mixture: {', '.join(f'{name} {share:.0%}' for name, share in hardest.items())}"


def _labels(entries: Sequence[Found]) -> list[str]:
    """Numbers and names."""
    return [f"{k:>3} {entry['name']}{'*' * entry['told']}" for k, entry in enumerate(entries, start=1)]


def _estimated(label: str, found: Found) -> Iterator[str]:
    """Mean and interval over seeds, if there is anything to estimate from."""
    if found["mean"] is not None:
        interval = "" if found["low"] is None else f"   [{found['low']:.2f}, {found['high']:.2f}] over seeds"
        yield f"{label}: {found['mean']:.2f}{interval}"
