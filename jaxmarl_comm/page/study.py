"""A study as a page: its rows side by side, on common scales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt

from jaxmarl_comm.envs.base import Env, per_team
from jaxmarl_comm.files import RunError
from jaxmarl_comm.page import curves
from jaxmarl_comm.page.document import document
from jaxmarl_comm.page.dots import Dot, dots, level
from jaxmarl_comm.page.markup import Markup, tag
from jaxmarl_comm.page.run import section
from jaxmarl_comm.report.curves import PANELS
from jaxmarl_comm.report.found import Found, Part
from jaxmarl_comm.report.study import columns_of
from jaxmarl_comm.study.config import programs
from jaxmarl_comm.study.folder import StudyFolder

Row = dict[str, Any]


def study_page(path: Path) -> str:
    """HTML, of the results so far. Raises RunError if it has none, or if they are damaged; ConfigError of its study."""
    folder, study = StudyFolder.open(path)
    env = next(iter(programs(study))).cfg.make_env()
    rows = folder.read(study, env)
    if not rows:
        raise RunError(f"{path} has no results yet")
    name = path.resolve().name
    head = tag("header", tag("h1", name), tag("p", f"a study on {env.name}, {len(rows)} rows", class_="about"))
    parts = [section("Side by side", _table(rows, env)), _returns(rows, env), _learning(rows, env)]
    warnings = [tag("li", f"{label(row)}: {each}") for row in rows for each in _warnings(row)]
    told = tag("ul", *warnings, class_="warnings") if warnings else None
    return document(name, tag("main", head, told, *parts), ["curves.js"])


def label(row: Row) -> str:
    """`gumbel`, or `gumbel, noise 0.5`."""
    return row["protocol"] + (f", {row['field']} {row['value']}" if row["field"] else "")


def _warnings(row: Row) -> list[str]:
    found = row.get("warnings")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _table(rows: Sequence[Row], env: Env) -> Markup:
    columns = columns_of(rows, env.team_names)
    head = tag("tr", *(tag("th", name) for name in columns))
    body = [tag("tr", *(tag("td", tell(row)) for tell in columns.values())) for row in rows]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body), class_="measures"), class_="wide")


def _returns(rows: Sequence[Row], env: Env) -> Markup:
    parts = []
    for team, name in zip(env.team_names, per_team("return", env.team_names), strict=True):
        told = [Dot(label(row), Found.model_validate(row[name]), own=True) for row in rows]
        rungs = {"silent optimum": env.ladder.silent, "oracle": env.ladder.oracle} if env.ladder else {}
        told += [Dot(rung, level(x)) for rung, x in rungs.items() if x is not None]
        parts += [tag("h4", team) if len(env.team_names) > 1 else None, dots(told)]
    return section("Returns", *parts, note="Greedy, undiscounted, mean over agents; small dots: seeds.")


def _learning(rows: Sequence[Row], env: Env) -> Markup:
    charts = [
        {
            "title": PANELS["return"] + (f": {team}" if len(env.team_names) > 1 else ""),
            "x": curves.STEPS,
            "share": False,
            "levels": {},
            "lines": [_line(row, name) for row in rows],
        }
        for team, name in zip(env.team_names, per_team("return", env.team_names), strict=True)
    ]
    drawn = curves.frames(charts, [label(row) for row in rows], "line")
    return section("Learning", drawn, note="Line: mean of seeds; band: from the lowest to the highest.")


class Steps(Part):
    """Where a curve has points."""

    env_steps: list[NonNegativeInt]


class OfSeeds(Part):
    """A return in training, `[seeds][chunks]`."""

    of_each_seed: list[list[float | None]]


def _line(row: Row, name: str) -> dict[str, Any]:
    """A row's curve. Raises RunError if it is none."""
    try:
        steps = Steps.model_validate(row["curve"]).env_steps
        seeds = OfSeeds.model_validate(row["curve"].get(name)).of_each_seed
        by_step = list(zip(*seeds, strict=True))
        points = curves.thinned(list(zip(steps, by_step, strict=True)), curves.MOST_POINTS)
    except ValueError:
        raise RunError(f"the results of {label(row)} are damaged: its curve is none") from None
    return {
        "name": label(row),
        "x": [step / 1e6 for step, _ in points],
        "y": [curves.short(values) for _, values in points],
        "minutes": None,
    }
