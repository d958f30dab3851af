"""The registry of environments. A new task is one file, and one line here."""

from __future__ import annotations

import inspect
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from jaxmarl_comm.envs.base import Env

MAX_CYCLES = 2**31 - 1  # the clock counts in 32 bits
FINITE = ConfigDict(allow_inf_nan=False)

_MPE = "jaxmarl_comm.envs.mpe."

ENVS: dict[str, str] = {
    "simple_v3": _MPE + "simple:Simple",
    "simple_adversary_v3": _MPE + "simple_adversary:SimpleAdversary",
    "simple_crypto_v3": _MPE + "simple_crypto:SimpleCrypto",
    "simple_push_v3": _MPE + "simple_push:SimplePush",
    "simple_reference_v3": _MPE + "simple_reference:SimpleReference",
    "simple_speaker_listener_v4": _MPE + "simple_speaker_listener:SimpleSpeakerListener",
    "simple_spread_v3": _MPE + "simple_spread:SimpleSpread",
    "simple_tag_v3": _MPE + "simple_tag:SimpleTag",
    "simple_world_comm_v3": _MPE + "simple_world_comm:SimpleWorldComm",
    "simple_line_v1": _MPE + "simple_line:SimpleLine",
    "simple_formation_v1": _MPE + "simple_formation:SimpleFormation",
    "collect_treasure_v1": _MPE + "collect_treasure:CollectTreasure",
    "microgrid_v0": "jaxmarl_comm.envs.microgrid.task:Microgrid",
}


def make_env(name: str, **arguments: Any) -> Env:
    """The environment of this name, e.g. `make_env("simple_spread_v3", N=5, continuous_actions=True)`.

    Raises ValueError, in one line each, for an unknown name or arguments, wrong types or an impossible value.
    """
    cls = env_class(name)
    types = inspect.get_annotations(cls, eval_str=True)
    for base in cls.__mro__:
        types = {**inspect.get_annotations(base, eval_str=True), **types}
    known = [field.name for field in fields(cls)]
    if wrong := [
        problem for key, value in arguments.items() if (problem := _problem(name, known, types, key, value)) is not None
    ]:
        raise ConfigError(*wrong)
    if not 1 <= arguments.get("max_cycles", 1) <= MAX_CYCLES:
        raise ValueError(
            f"argument 'max_cycles' of {name} is {shown(arguments['max_cycles'])}, but must be at least 1 "
            f"and at most {MAX_CYCLES:,}"
        )
    return cls(**arguments)


def _problem(name: str, known: list[str], types: dict[str, Any], key: str, value: Any) -> str | None:
    """What is wrong with an argument of this task: that there is none, or its type."""
    if key not in known:
        hint = did_you_mean(key, ["name", *known])
        return f"unknown argument {shown(key)} of {name}{hint}; it takes {', '.join(known)}"
    try:
        TypeAdapter(types[key], config=FINITE).validate_python(value, strict=True)
    except ValidationError as error:
        return f"argument '{key}' of {name} is {shown(value)}: {error.errors()[0]['msg']}"
    return None


def env_class(name: str) -> type[Env]:
    """The class behind a registered name. Raises ValueError for an unknown one."""
    if name not in ENVS:
        raise ValueError(f"unknown task {shown(name)}{did_you_mean(name, ENVS)}; there are {', '.join(ENVS)}")
    module, cls = ENVS[name].split(":")
    return getattr(import_module(module), cls)
