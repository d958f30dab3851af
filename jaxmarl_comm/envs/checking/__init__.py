"""Whether a task is what the library takes it for: everything that is wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.checking.conduct import mistakes_of_conduct
from jaxmarl_comm.envs.checking.form import mistakes_of_form
from jaxmarl_comm.settings import ConfigError

__all__ = ["check_env", "check_form"]


def check_env(env: Env) -> None:
    """Raise ConfigError (a ValueError) with all that is wrong with a task of one's own, a line each.

    Names and spaces; shapes and types of all that its functions return, also with other arguments; whether they are
    pure, use each key once, and do the same compiled and side by side; whether episodes end when they should and share
    what they claim to share; whether numbers and gradients are finite; what it tells beyond `reset` and `step`.
    It plays a few episodes of random actions, which takes seconds.
    """
    found = list(mistakes_of_form(env)) or [*mistakes_of_conduct(env), *_off_the_defaults(env)]
    if found:
        raise ConfigError(*(f"{env.name}: {mistake}" for mistake in found))


@lru_cache(maxsize=64)
def check_form(env: Env) -> None:
    """Raise ConfigError unless names, spaces, shapes and types are right: at once, as nothing is computed."""
    if found := list(mistakes_of_form(env)):
        raise ConfigError(*(f"{env.name}: {mistake}" for mistake in found))


def _off_the_defaults(env: Env) -> Iterator[str]:
    """The form of the same task with one argument changed at a time; what it refuses itself is no mistake."""
    for field in fields(env):
        for value in _others(getattr(env, field.name)):
            try:
                other = replace(env, **{field.name: value})
            except Exception:  # however it says so
                continue
            for mistake in mistakes_of_form(other):
                yield f"with {field.name} {value}, {mistake}"


def _others(value: Any) -> tuple[Any, ...]:
    """Values near this one, if it is a number."""
    if isinstance(value, bool):
        return (not value,)
    if isinstance(value, int):
        return (value + 1, value + 2)
    return (value / 2,) if isinstance(value, float) else ()
