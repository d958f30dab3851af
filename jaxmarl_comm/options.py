"""What the command lines of `scripts/` have in common: options, settings as options, and one line for a mistake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from jaxmarl_comm.dotted import ALIASES
from jaxmarl_comm.fields import Description, describe_fields
from jaxmarl_comm.settings import ConfigError, read_yaml
from jaxmarl_comm.suggest import closest, one_line
from jaxmarl_comm.synonyms import ours


class Parser(argparse.ArgumentParser):
    """Errors in one line, with what may have been meant; `_` and `-` in options are the same."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {one_line(message)} (see --help)", file=sys.stderr)
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        words = sys.argv[1:] if args is None else args
        return super().parse_known_args([self._spelled(word) for word in words], namespace)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        given, rest = self.parse_known_args(args, namespace)
        if rest:
            self.unknown(rest[0])
        return given

    def unknown(self, word: str, fields: Iterable[str] = ()) -> NoReturn:
        """Refuse a word that is no option; fields: of a config, which may stand as options, too."""
        if not word.startswith("--"):
            self.error(f"unexpected argument '{word}'")
        name = word.removeprefix("--").partition("=")[0]
        fields = list(fields)
        if fields and (here := ours(name)):
            self.error(f"unknown option '--{name}': here it is {here}")
        meant = closest(name, [*(option.lstrip("-") for option in self._option_string_actions), *fields])
        self.error(f"unknown option '--{name}'" + (f", did you mean '--{meant}'?" if meant else ""))

    def _spelled(self, word: str) -> str:
        name, equals, value = word.partition("=")
        dashed = name.replace("_", "-")
        return dashed + equals + value if dashed in self._option_string_actions else word


SWITCHES: dict[str, tuple[str, Any]] = {
    "share_reward": ("reward_sharing", "shared"),
    "no_share_reward": ("reward_sharing", "individual"),
    "independent_policies": ("share_params", False),
    "anneal_lr": ("lr_schedule", "linear"),
    "no_anneal_lr": ("lr_schedule", "constant"),
}
"""What is often typed without a value, and the setting that it is. A setting that is on or off is also `--no-NAME`."""

SPELLINGS = {"iterations": "num_iters", "checkpoint_freq": "checkpoint_interval"}
"""Other names of settings, on the command line only."""


def field_overrides(words: Sequence[str], parser: Parser) -> dict[str, Any]:
    """`--lr 1e-3 --comm.preset=none --control` as {dotted key: value}; values are read as YAML."""
    fields = {each.key: each.default for each in describe_fields()}
    sections_and_names = {key.partition(".")[0] for key in [*fields, *ALIASES]}
    overrides, left = {}, list(words)
    while left:
        word = left.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        key = name.replace("-", "_")
        key = SPELLINGS.get(key, key)
        has_value = bool(equals or (left and not left[0].startswith("--")))
        if not word.startswith("--"):
            parser.unknown(word)
        if made := switched(key, fields):
            if has_value:
                parser.error(f"'--{name}' takes no value: alone it is --{made[0]} {str(made[1]).lower()}")
            key, chosen = made
        elif key.partition(".")[0] not in sections_and_names:
            parser.unknown(word, [*fields, *ALIASES])
        elif has_value:
            chosen = read_value(value if equals else left.pop(0))
        elif key.startswith("env.") or isinstance(fields.get(key), bool):
            chosen = True  # a switch needs no value
        else:
            parser.error(f"'--{name}' needs a value")
        overrides[key] = chosen
    return overrides


def switched(key: str, fields: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The setting that this word makes without a value, and what it becomes; None of a word that needs one."""
    of = key.removeprefix("no_")
    if of != key and (of.startswith("env.") or isinstance(fields.get(of), bool)):
        return of, False
    return SWITCHES.get(key)


def read_value(text: str) -> Any:
    """A value as YAML reads it; the text itself where that is no YAML."""
    try:
        return read_yaml(text)
    except ConfigError:
        return text


def fields_help() -> str:
    """Every field under its heading, with its default, its meaning and what it may be."""
    by_heading: dict[str, list[str]] = {}
    for each in describe_fields():
        by_heading.setdefault(each.heading, []).append(_row(f"{each.key} {each.default}", _told(each)))
    by_heading["the task"].append(_row("env.ARGUMENT VALUE", "argument of the task, e.g. --env.N 5"))
    lines = ["fields of the config, with their defaults:"]
    for heading, rows in by_heading.items():
        lines += ["", f"{heading}:", *rows]
    return "\n".join(lines)


def _row(option: str, meaning: str) -> str:
    return f"  --{option}".ljust(42) + meaning


def _told(field: Description) -> str:
    return f"{field.meaning} [{field.limits}]" if field.limits else field.meaning
