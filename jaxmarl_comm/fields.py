"""What there is to say of every setting: its default, its meaning, what it may be, and where it belongs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.config import Config
from jaxmarl_comm.dotted import ALIASES
from jaxmarl_comm.envs import ENVS
from jaxmarl_comm.registry import ALGORITHMS, config_classes
from jaxmarl_comm.suggest import listed

BEYOND_USE = 2**16  # a limit from here on is one of the machine: nobody asks for so much


NAMED: dict[str, Iterable[str]] = {"algorithm": ALGORITHMS, "env.name": ENVS, "comm.preset": PRESETS}
"""Settings that are names, and what these may be of."""


class Description(NamedTuple):
    """One setting. limits: what it may be, in words; empty if that goes without saying. choices: where it is a word."""

    key: str
    default: Any
    meaning: str
    limits: str
    choices: tuple[str, ...]
    heading: str


def describe_fields() -> Iterator[Description]:
    """Every setting: those of all algorithms first, then what each has of its own, or by another default."""
    common = {each.key: each for each in _of_class(Config)}
    yield from common.values()
    owners: dict[Description, list[str]] = {}
    for cls, algorithms in config_classes().items():
        for each in _of_class(cls):
            inherited = each.key in common and each.default == common[each.key].default
            if not inherited and each.key != "algorithm":
                owners.setdefault(each, []).extend(algorithms)
    for each, algorithms in owners.items():
        yield each._replace(heading=f"{each.heading} ({listed(algorithms)})")


def _of_class(cls: type[Config]) -> list[Description]:
    """In the order of the headings."""
    begins = {field: heading for heading, fields in cls.headings.items() for field in fields}
    by_heading: dict[str, list[Description]] = {heading: [] for heading in cls.headings}
    heading = next(iter(cls.headings))
    for name, field in cls.model_fields.items():
        heading = begins.get(name, heading)
        by_heading[heading] += _described(name, field, heading)
    return [each for under in by_heading.values() for each in under]


def _described(name: str, field: FieldInfo, heading: str) -> Iterator[Description]:
    for key, inner, default in _leaves(name, field, field.get_default(call_default_factory=True)):
        names = [alias for alias, stands_for in ALIASES.items() if stands_for == key]
        also = f" (also {', '.join(names)})" if names else ""
        choices = tuple(NAMED.get(key, ())) or choices_of(inner)
        limits = limits_of(inner, choices)
        yield Description(key, default, f"{inner.description}{also}", limits, choices, heading)


def _leaves(name: str, field: FieldInfo, default: Any) -> Iterator[tuple[str, FieldInfo, Any]]:
    if not isinstance(default, BaseModel):
        yield name, field, default
        return
    for inner, its in type(default).model_fields.items():
        yield from _leaves(f"{name}.{inner}", its, getattr(default, inner))


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The words that a setting may be."""
    parts = _parts(field.annotation)
    return tuple(str(choice) for part in parts if get_origin(part) is Literal for choice in get_args(part))


def limits_of(field: FieldInfo, choices: Sequence[str]) -> str:
    """What a setting may be, in words: its choices or its bounds; empty if it has none, or may be more than that."""
    parts = [*_parts(field.annotation), *field.metadata]
    if any(get_origin(part) is dict for part in parts):
        return ""
    bounds = _bounds({name: [getattr(x, name) for x in parts if hasattr(x, name)] for name in ("ge", "gt", "le", "lt")})
    words = list(choices) or bounds
    return listed([*words, "null"] if words and type(None) in parts else words, "or", most=len(words) + 1)


def _parts(kind: Any) -> Iterator[Any]:
    """What an annotated type is made of: its types, and what is demanded of them."""
    if get_origin(kind) in (Annotated, Union, UnionType):
        for part in get_args(kind):
            yield from _parts(part)
    elif isinstance(kind, FieldInfo):
        yield from kind.metadata
    else:
        yield kind


def _bounds(found: dict[str, list[float]]) -> list[str]:
    low, above = (max(found[name], default=None) for name in ("ge", "gt"))
    high = min((x for x in found["le"] + found["lt"] if x < BEYOND_USE), default=None)
    if above is not None and (low is None or above >= low):
        return [f"above {above:g}" + ("" if high is None else f", at most {high:g}")]
    if low is None:
        return []
    return [f"at least {low:g}" if high is None else f"{low:g} to {high:g}"]
