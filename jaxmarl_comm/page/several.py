"""Several runs side by side: a table of all, and what runs of one task have in common on common scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.page import curves
from jaxmarl_comm.page.dots import Dot, dots, level
from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.numbers import NOTHING, estimate, mean, million, number, percent
from jaxmarl_comm.page.reading import Seen
from jaxmarl_comm.page.run import section
from jaxmarl_comm.page.settings import differing, shown
from jaxmarl_comm.page.verdict import listens, talks
from jaxmarl_comm.repeat import arguments_of
from jaxmarl_comm.report.found import Found

COLUMNS: dict[str, Callable[[Seen], str]] = {
    "task": lambda run: run.cfg.env.name,
    "algorithm": lambda run: run.cfg.algorithm,
    "channel": lambda run: run.cfg.comm.preset,
    "seeds": lambda run: str(run.cfg.num_seeds),
    "steps": lambda run: million(run.cfg.env_steps),
    "talks": lambda run: talks(run).word if run.evaluated else NOTHING,
    "listens": lambda run: listens(run).word if run.evaluated else NOTHING,
    "return": lambda run: _of_sides(run, "return", estimate),
    "success": lambda run: _of_sides(run, "success", lambda found: percent(mean(found))),
    "score": lambda run: estimate(run.found("score")),
    "value of talk": lambda run: _of_sides(run, "value_of_talk", estimate),
    "I(m; goal)": lambda run: _mean(run.found("message_information")),
    "untrained": lambda run: _mean(run.before("message_information")),
    "bits an episode": lambda run: _mean(run.found("bits_per_episode"), 0),
    "minutes": lambda run: _minutes(run),
}


def side_by_side(runs: Sequence[Seen], points: int) -> Markup:
    """points: of each curve."""
    parts = [section("Side by side", _table(runs))]
    for task, of_task in _by_task(runs).items():
        parts += [_returns(task, of_task), _curves(task, of_task, points)]
    return join([*parts, _settings(runs)])


def _by_task(runs: Sequence[Seen]) -> dict[str, list[Seen]]:
    """Runs whose returns can be compared: of the same task, with the same sides learning."""
    tasks: dict[str, list[Seen]] = {}
    for run in runs:
        against = f" against {', '.join(run.cfg.opponents.values())}" if run.cfg.opponents else ""
        words = [f"{key}: {shown(value)}" for key, value in arguments_of(run.cfg).items()]
        name = run.cfg.env.name + (f" ({', '.join(words)})" if words else "") + against
        tasks.setdefault(name, []).append(run)
    return tasks


def _table(runs: Sequence[Seen]) -> Markup:
    """A column that is empty for all is left out."""
    cells = {name: [tell(run) for run in runs] for name, tell in COLUMNS.items()}
    kept = {name: column for name, column in cells.items() if any(cell != NOTHING for cell in column)}
    head = tag("tr", tag("th", "run"), *(tag("th", name) for name in kept))
    rows = [
        tag("tr", tag("th", tag("a", run.name, href=f"#run-{k}")), *(tag("td", column[k]) for column in kept.values()))
        for k, run in enumerate(runs)
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="measures"), class_="wide")


def _returns(task: str, runs: Sequence[Seen]) -> Markup:
    parts, teams = [], runs[0].env.team_names
    for team, name in zip(teams, per_team("return", teams), strict=True):
        rows = [Dot(run.name, found, own=True) for run in runs if (found := run.found(name))]
        ladder = runs[0].env.ladder
        rungs = {"silent optimum": ladder.silent, "oracle": ladder.oracle} if ladder and rows else {}
        rows += [Dot(rung, level(x)) for rung, x in rungs.items() if x is not None]
        parts += [tag("h4", team) if len(teams) > 1 else None, dots(rows)]
    return section(f"Returns on {task}", *parts, note="Greedy, undiscounted, mean over agents; small dots: seeds.")


def _curves(task: str, runs: Sequence[Seen], points: int) -> Markup:
    drawn = curves.frames(curves.compared(runs, points), [run.name for run in runs], "line")
    note = "Line: mean of seeds; band: from the lowest to the highest. Choose runs by their names."
    return section(f"Learning {task}", drawn or tag("p", "Nothing was logged yet."), note=note)


def _settings(runs: Sequence[Seen]) -> Markup:
    head = tag("tr", tag("th", "setting"), *(tag("th", run.name) for run in runs))
    rows = [tag("tr", tag("th", key), *(tag("td", value) for value in values)) for key, values in differing(runs)]
    if not rows:
        return section("Settings", tag("p", "All settings are the same."))
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="settings")
    return section("Settings in which they differ", tag("div", table, class_="wide"))


def _of_sides(run: Seen, measure: str, tell: Callable[[Found | None], str]) -> str:
    """`−7.39 [−7.41, −7.37]`, or `good 1.00, adversary −1.00`; NOTHING where no side has it."""
    teams = run.env.team_names
    found = dict(zip(teams, map(run.found, per_team(measure, teams)), strict=True))
    if not any(found.values()):
        return NOTHING
    return ", ".join(tell(each) if len(teams) == 1 else f"{team} {tell(each)}" for team, each in found.items())


def _mean(found: Found | None, digits: int = 2) -> str:
    return number(mean(found), digits)


def _minutes(run: Seen) -> str:
    return (
        f"{run.evaluated.seconds['train'] / 60:.0f}" if run.evaluated and "train" in run.evaluated.seconds else NOTHING
    )
