"""Curves for `curves.js` to draw: numbers to embed in a page, and the frames that they are drawn into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.page.markup import Markup, data, tag
from jaxmarl_comm.page.reading import Seen
from jaxmarl_comm.report.curves import PANELS, columns_of
from jaxmarl_comm.report.figure import COLOURS
from jaxmarl_comm.report.found import Found

MOST_NUMBERS = 40_000  # of all curves of a page together: some 300 kB
MOST_POINTS = 400  # of a curve: more than a screen shows apart
COMPARED = ("return", "eval_return", "eval_success", "eval_message_information")
WORSE = {
    "return_with_noise": ("noise", "deviation of the noise on each number"),
    "return_with_loss": ("loss", "share of messages that are lost"),
}
STEPS = "million environment steps per seed"

T = TypeVar("T")
Chart = dict[str, Any]
"""title, x (what is along it), levels (name -> height), share (whether it is from 0 to 1), and lines: name, x, y (a
row for each x, a number for each seed) and minutes (of training until each x; None where they are not all known).
"""


def points_each(runs: Sequence[Seen]) -> int:
    """How many points each curve may have, so that all curves of these runs fit into a page."""
    numbers = sum(run.cfg.num_seeds * len({name for row in run.rows for name in row}) for run in runs)
    return max(2, min(MOST_POINTS, MOST_NUMBERS // max(1, numbers)))


def training(run: Seen, points: int) -> tuple[list[Chart], list[Chart]]:
    """(charts that everybody looks at, those of all other metrics): a line for each side."""
    known = {name for row in run.rows for name in row} - {"iteration", "env_steps"}
    teams = run.env.team_names
    told = {name: columns_of(name, teams, known) for name in PANELS}
    shown = {column for columns in told.values() for column in columns.values()}
    rest = {name: columns_of(name, teams, known) for name in _measures(known - shown, teams)}
    main = [_chart(run, name, PANELS[name], columns, points) for name, columns in told.items() if columns]
    return main, [_chart(run, name, name.replace("_", " "), columns, points) for name, columns in rest.items()]


def _measures(columns: set[str], teams: Sequence[str]) -> list[str]:
    """Names of what these columns hold, without a team's name behind it where it is one team's share of it."""
    ends = [f"_{team}" for team in teams] if len(teams) > 1 else []
    bare = {next((name.removesuffix(end) for end in ends if name.endswith(end)), name) for name in columns}
    return sorted(name for name in bare if name in columns or any(f"{name}{end}" in columns for end in ends))


def _chart(run: Seen, measure: str, title: str, columns: Mapping[str, str], points: int) -> Chart:
    lines = [line(run, column, team, points) for team, column in columns.items()]
    of_task = not run.cfg.train_env or measure.startswith("eval_")
    levels = yardsticks(run, measure.removeprefix("eval_")) if of_task else {}
    return {"title": title, "x": STEPS, "share": measure == "eval_success", "levels": levels, "lines": lines}


def yardsticks(run: Seen, measure: str) -> dict[str, float]:
    """Name -> height of the lines that a measure is to be seen beside."""
    found: dict[str, float | None] = {}
    if measure == "return" and run.env.ladder:
        found = {"silent optimum": run.env.ladder.silent, "oracle": run.env.ladder.oracle}
    if run.evaluated and run.evaluated.control:
        of_control, teams = run.evaluated.control.found, run.env.team_names
        for team, name in zip(teams, per_team(measure, teams), strict=True):
            whose = f" of {team}" if len(teams) > 1 else ""
            found[f"trained silent team{whose}"] = of_control[name].mean if name in of_control else None
    return {name: x for name, x in found.items() if x is not None}


def line(run: Seen, column: str, name: str, points: int) -> dict[str, Any]:
    """A metric of a run, in at most so many points, the last one among them."""
    rows = thinned([row for row in run.rows if row.get(column) is not None], points)
    return {
        "name": name,
        "x": [row["env_steps"] / 1e6 for row in rows],
        "y": [short(row[column]) for row in rows],
        "minutes": minutes(run, [row["iteration"] for row in rows]),
    }


def minutes(run: Seen, iterations: Sequence[int]) -> list[float] | None:
    """That training had taken by then; None unless that is known of each."""
    if not all(iteration in run.clock for iteration in iterations):
        return None
    return [float(f"{run.clock[iteration] / 60:.4g}") for iteration in iterations]


def thinned(rows: Sequence[T], points: int) -> list[T]:
    """At most so many rows, evenly spread, from the first to the last."""
    if len(rows) <= points:
        return list(rows)
    return [rows[round(k * (len(rows) - 1) / (points - 1))] for k in range(points)]


def short(values: Sequence[float | None]) -> list[float | None]:
    """To as many digits as can be seen."""
    return [None if x is None else float(f"{x:.4g}") for x in values]


def compared(runs: Sequence[Seen], points: int) -> list[Chart]:
    """The same measures of several runs of one task, a line for each run."""
    teams, charts = runs[0].env.team_names, []
    for measure in COMPARED:
        for team, column in zip(teams, per_team(measure, teams), strict=True):
            lines = [line(run, column, run.name, points) for run in runs]
            title = PANELS[measure] + (f": {team}" if len(teams) > 1 else "")
            levels = {
                name: x for name, x in yardsticks(runs[0], measure.removeprefix("eval_")).items() if "team" not in name
            }
            charts.append(
                {"title": title, "x": STEPS, "share": measure == "eval_success", "levels": levels, "lines": lines}
            )
    return [chart for chart in charts if _shows(chart)]


def worse_channels(run: Seen) -> list[Chart]:
    """What is left of the return when a channel gets worse than it was in training: a line for each side."""
    if run.evaluated is None:
        return []
    charts, teams = [], run.env.team_names
    for measure, (setting, words) in WORSE.items():
        lines = [
            _worsened(run, setting, clear, run.evaluated.worse[column], team)
            for team, clear, column in zip(teams, per_team("return", teams), per_team(measure, teams), strict=True)
        ]
        title = f"return, greedy, with {setting}"
        charts.append({"title": title, "x": words, "share": False, "levels": yardsticks(run, "return"), "lines": lines})
    return [chart for chart in charts if _shows(chart)]


def _shows(chart: Chart) -> bool:
    return any(each["x"] for each in chart["lines"])


def _worsened(run: Seen, setting: str, clear: str, found: Mapping[float, Found], team: str) -> dict[str, Any]:
    """From the channel as it was in training on, if that is known of the run."""
    points = {value: short(each.of_each_seed) for value, each in found.items()}
    if points and (before := run.found(clear)):
        points.setdefault(getattr(run.cfg.comm, setting), short(before.of_each_seed))
    values = sorted(points)
    name = team if len(run.env.team_names) > 1 else ""
    return {"name": name, "x": values, "y": [points[value] for value in values], "minutes": None}


def frames(charts: Sequence[Chart], switches: Sequence[str], by: str) -> Markup | None:
    """Frames for these charts, with a switch for each of the names: of seeds (`by` "seed"), or of lines ("line")."""
    if not charts:
        return None
    figures = [
        tag("figure", tag("figcaption", chart["title"]), tag("div", class_="plot", tabindex=0), class_="chart")
        for chart in charts
    ]
    content = {"charts": charts, "switches": list(switches), "by": by, "colours": COLOURS}
    note = tag("noscript", "The curves need JavaScript; curves.png in the run's folder shows them without.")
    parts = [tag("div", class_="switches"), tag("div", *figures, class_="charts"), note, data(content)]
    return tag("div", *parts, class_="curves")
