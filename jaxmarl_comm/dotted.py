"""Settings by dotted keys: `comm.noise` is `noise` in the section `comm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import shown

ALIASES = {"clip_param": "clip_eps", "entropy_coef": "ent_coef"}
"""Other names of fields, read and written alike; the right-hand one is stored."""

TASK = ("env.", "train_env.")
"""How arguments of the task begin."""

SECTIONS = {"env": "name", "comm": "preset", "net": "hidden", "evolution": "population_size"}
"""What a section's own name is taken for most often."""


def merge(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values with dotted changes on top; an alias replaces the name that it stands for. Raises ConfigError."""
    merged = dict(values)
    for dotted, value in changes.items():
        key, _, rest = dotted.partition(".") if isinstance(dotted, str) else (dotted, "", "")
        if rest:
            inner = merged.get(key, {})
            inner = inner.model_dump() if isinstance(inner, BaseModel) else inner
            if not isinstance(inner, Mapping):
                raise ConfigError(f"'{dotted}' cannot be set: {no_section(key, inner)}")
            merged[key] = merge(inner, {rest: value})
        else:
            synonyms = {ALIASES.get(key, key), *(alias for alias, name in ALIASES.items() if name == key)}
            for synonym in synonyms - set(changes):
                merged.pop(synonym, None)
            merged[key] = value
    return merged


def no_section(name: str, value: Any) -> str:
    """What is wrong with a value where there should be settings with names of their own."""
    if name not in SECTIONS:
        return f"'{name}' is {shown(value)}, not a section"
    inner = SECTIONS[name]
    return (
        f"'{name}' is {shown(value)}, but holds settings: --{name}.{inner} NAME ({name}: {{{inner}: NAME}}) was meant"
    )


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested values as (dotted key, value) pairs."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
