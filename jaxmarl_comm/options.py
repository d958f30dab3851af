"""What the command lines of `scripts/` have in common: options, settings as options, and one line for a mistake."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

from jaxmarl_comm.dotted import ALIASES, TASK
from jaxmarl_comm.fields import Description, describe_fields
from jaxmarl_comm.settings import ClashError, ConfigError, read_yaml
from jaxmarl_comm.suggest import closest, one_line
from jaxmarl_comm.synonyms import ours

NAMING = ("agent_groups.", "net.groups.", "teams.", "opponents.")
"""What is followed by a name that the user or the task gave."""


class Parser(argparse.ArgumentParser):
    """Errors in one line, with what may have been meant; `_` and `-` in options are the same."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        print(f"error: {one_line(message)} (see --help)", file=sys.stderr)
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        words = sys.argv[1:] if args is None else args
        return super().parse_known_args([self._spelled(word) for word in words], namespace)

    def parse_beside_settings(self, args: Sequence[str] | None = None) -> tuple[Any, list[str]]:
        """(what was given, the words of settings), which may stand before what is told apart by its place, too."""
        own: list[str] = []
        settings: list[str] = []
        left = list(sys.argv[1:] if args is None else args)
        while left:
            word = left.pop(0)
            name, equals, _ = self._spelled(word).partition("=")
            if not name.startswith("--") or name == "--" or name in self._option_string_actions:
                own.append(word)
                continue
            settings.append(word)
            placed = any(not word.startswith("--") for word in own)
            if left and not equals and is_value(name, left[0], placed):
                settings.append(left.pop(0))
        given, rest = self.parse_known_args(own)
        return given, [*rest, *settings]

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        given, rest = self.parse_known_args(args, namespace)
        if rest:
            self.refuse([self.unknown(word) for word in rest])
        return given

    def refuse(self, mistakes: Iterable[str]) -> NoReturn:
        """Leave with one line for each of them."""
        *others, last = dict.fromkeys(mistakes)
        for mistake in others:
            print(f"error: {one_line(mistake)}", file=sys.stderr)
        self.error(last)

    def unknown(self, word: str, fields: Iterable[str] = ()) -> str:
        """What is wrong with a word that is no option; fields: of a config, which may stand as options, too."""
        if not word.startswith("--"):
            return f"unexpected argument '{word}'"
        name = word.removeprefix("--").partition("=")[0]
        fields = list(fields)
        if fields and (here := ours(name)):
            return f"unknown option '--{name}': here it is {here}"
        meant = closest(name, [*(option.lstrip("-") for option in self._option_string_actions), *fields])
        return f"unknown option '--{name}'" + (f", did you mean '--{meant}'?" if meant else "")

    @property
    def positionals(self) -> list[argparse.Action]:
        """What is told apart by its place."""
        return [action for action in self._actions if not action.option_strings]

    def values(self) -> Iterator[tuple[str, Sequence[str] | None]]:
        """Of each option, the words that its value may be, where these are known; None where it has no value."""
        for action in self._actions:
            for option in action.option_strings:
                if option.startswith("--"):
                    yield option, None if action.nargs == 0 else tuple(action.choices or ())

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


def field_overrides(
    words: Sequence[str], parser: Parser, check: Callable[[dict[str, Any]], object] = len
) -> dict[str, Any]:
    """`--lr 1e-3 --comm.preset=none --control` as {dotted key: value}; values are read as YAML.

    Leaves with one line for each word that is none of a config. check: makes a config of the others, whose mistakes are
    told in the same go, but for clashes, which may come of what is missing.
    """
    fields = usual_values()
    overrides: dict[str, Any] = {}
    mistakes: list[str] = []
    for word, value in pairs(words):
        try:
            key, chosen = read_override(word, value, fields, parser)
            overrides[key] = chosen
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        parser.refuse([*mistakes, *mistakes_in(check, overrides)])
    return overrides


def pairs(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """`--NAME=VALUE`, `--NAME VALUE` or `--NAME` as (word, value or None); a word that is no option by itself."""
    left = list(words)
    while left:
        word, equals, value = left.pop(0).partition("=")
        if not word.startswith("--"):
            yield word + equals + value, None
        elif equals:
            yield word, value
        else:
            yield word, left.pop(0) if left and not left[0].startswith("--") else None


def is_value(word: str, following: str, placed: bool) -> bool:
    """Whether this is the value of the setting before it, and not what is told apart by its place.

    What may stand alone has no values but true and false. placed: whether there was a word before that may be what is
    told apart by its place; if not, this one is it, behind a word that is no setting, or a task's argument, unless it
    reads as a number or the like.
    """
    fields, key, value = usual_values(), setting_meant(word), read_value(following)
    if following.startswith("--") or switched(key, fields):
        return False
    if key not in [*fields, *ALIASES] and not key.startswith(NAMING):
        return placed or not isinstance(value, str)
    return not isinstance(fields.get(key), bool) or isinstance(value, bool)


def read_override(word: str, value: str | None, fields: Mapping[str, Any], parser: Parser) -> tuple[str, Any]:
    """(dotted key, value) of a word and its value as typed. Raises ConfigError."""
    key = setting_meant(word)
    if not word.startswith("--"):
        raise ConfigError(parser.unknown(word))
    if made := switched(key, fields):
        if value is not None:
            raise ConfigError(f"'{word}' takes no value: alone it is --{made[0]} {str(made[1]).lower()}")
        return made
    if key.partition(".")[0] not in {known.partition(".")[0] for known in [*fields, *ALIASES]}:
        raise ConfigError(parser.unknown(word, [*fields, *ALIASES]))
    if value is not None:
        return key, read_value(value)
    if key.startswith(TASK) or isinstance(fields.get(key), bool):
        return key, True  # a switch needs no value
    raise ConfigError(f"'{word}' needs a value")


def usual_values() -> dict[str, Any]:
    """The default of every field, by its dotted key."""
    return {each.key: each.default for each in describe_fields()}


def setting_meant(word: str) -> str:
    """The dotted key of `--NAME`."""
    key = dotted_key(word.removeprefix("--"))
    return SPELLINGS.get(key, key)


def dotted_key(typed: str) -> str:
    """The key meant: `num-envs` is `num_envs`, but names that the user or the task gave stay as they are typed."""
    key = typed.replace("-", "_")
    for section in NAMING:
        if key.startswith(section):
            name, dot, rest = typed[len(section) :].partition(".")
            return section + name + dot + rest.replace("-", "_")
    return key


def mistakes_in(check: Callable[[dict[str, Any]], object], overrides: dict[str, Any]) -> tuple[str, ...]:
    """Those of single settings."""
    try:
        check(overrides)
    except ClashError:
        return ()
    except ConfigError as error:
        return error.mistakes
    return ()


def switched(key: str, fields: Mapping[str, Any]) -> tuple[str, Any] | None:
    """The setting that this word makes without a value, and what it becomes; None of a word that needs one."""
    of = key.removeprefix("no_")
    if of != key and (of.startswith(TASK) or isinstance(fields.get(of), bool)):
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
    by_heading["the task"].append(_row("train_env.ARGUMENT VALUE", "the same, for train_env"))
    lines = ["fields of the config, with their defaults:"]
    for heading, rows in by_heading.items():
        lines += ["", f"{heading}:", *rows]
    return "\n".join(lines)


def _row(option: str, meaning: str) -> str:
    return f"  --{option}".ljust(41) + " " + meaning


def _told(field: Description) -> str:
    return f"{field.meaning} [{field.limits}]" if field.limits else field.meaning
