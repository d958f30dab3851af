"""What a run was asked for, and what did it: settings beside their defaults, versions, the command that repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml

from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.config import Config
from jaxmarl_comm.dotted import flatten
from jaxmarl_comm.fields import describe_fields
from jaxmarl_comm.page.markup import Markup, tag
from jaxmarl_comm.page.numbers import NOTHING
from jaxmarl_comm.page.reading import Seen
from jaxmarl_comm.repeat import command, defaults

Row = tuple[str, str, str, str]
"""A setting, what it is, what it would have been, and what it means."""


def changed(cfg: Config) -> list[Row]:
    """What is not as it would be by default. What a preset brings along is told by the preset alone."""
    usual = dict(flatten(defaults(cfg)))
    brought = dict(flatten({"comm": CommConfig(preset=cfg.comm.preset).model_dump()}))
    rows = []
    for key, value in flatten(cfg.model_dump(mode="json")):
        default = usual.get(key) if key == "comm.preset" else brought.get(key, usual.get(key))
        if value != default:
            rows.append((key, shown(value), NOTHING if default is None else shown(default), meanings().get(key, "")))
    return rows


def differing(runs: Sequence[Seen]) -> list[tuple[str, list[str]]]:
    """Settings in which several runs differ, and what each has; nothing where it has no such setting."""
    flat = [dict(flatten(run.cfg.model_dump(mode="json"))) for run in runs]
    rows = []
    for key in dict.fromkeys(key for each in flat for key in each):
        values = [shown(each[key]) if key in each else NOTHING for each in flat]
        if len(set(values)) > 1:
            rows.append((key, values))
    return rows


def shown(value: Any) -> str:
    """A value as YAML writes it, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1e9).removesuffix("...\n").strip()


@cache
def meanings() -> dict[str, str]:
    """Setting -> its help text."""
    return {each.key: each.meaning for each in describe_fields()}


def settings(run: Seen) -> Markup:
    """Changed settings, all of them, the command and the versions."""
    parts = [tag("pre", command(run.trained), class_="command"), *_table(run.cfg)]
    every = tag("details", tag("summary", "All settings"), tag("pre", run.cfg.to_yaml()))
    versions = ", ".join(f"{name} {number}" for name, number in run.versions.items()) or "not known"
    return tag("div", *parts, every, tag("p", tag("b", "Trained with "), versions))


def _table(cfg: Config) -> list[Markup]:
    rows = [
        tag("tr", tag("th", key), tag("td", value), tag("td", default), tag("td", meaning, class_="meaning"))
        for key, value, default, meaning in changed(cfg)
    ]
    if not rows:
        return [tag("p", "Every setting is as it is by default.")]
    head = tag("tr", *(tag("th", word) for word in ("setting", "here", "by default", "what it is")))
    return [tag("div", tag("table", tag("thead", head), tag("tbody", *rows), class_="settings"), class_="wide")]
