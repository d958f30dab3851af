"""The registry of environments. A new task is one file, and one line here."""

from __future__ import annotations

import inspect
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.envs.outside import offered, outside_class
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, listed, shown

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
    if name.startswith(PREFIX):
        from jaxmarl_comm.envs.foreign.making import make_foreign

        return make_foreign(name, arguments)
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
    env = cls(**arguments)
    if not cls.__module__.startswith("jaxmarl_comm."):
        check_outside(name, env)
    return env


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
    """The class behind a name: of ENVS, of an entry point, or `module:Class`. Raises ValueError if there is none."""
    if name in ENVS:
        module, cls = ENVS[name].split(":")
        return getattr(import_module(module), cls)
    found = outside_class(name)
    if found is None:
        known = [*ENVS, *offered()]
        raise ValueError(
            f"unknown task {shown(name)}{did_you_mean(name, known)}; there are {', '.join(known)}, "
            "and module:Class for one's own"
        )
    check_class(name, found)
    return found


def check_outside(name: str, env: Env) -> None:
    """Raise ConfigError, a line each, for what is wrong at first sight with a task of one's own."""
    from jaxmarl_comm.envs.checking import check_form

    try:
        hash(env)
    except TypeError:
        raise ValueError(f"{name} cannot be compared: a task is a @dataclass(frozen=True, kw_only=True)") from None
    check_form(env)


def check_class(name: str, found: Any) -> None:
    """Raise ValueError, in one line, unless this is the class of a task, with all that a task must have."""
    from jaxmarl_comm.envs.base import Env

    if not (isinstance(found, type) and issubclass(found, Env)):
        raise ValueError(f"{name} is {shown(found)}, but a task is a class derived from jaxmarl_comm.envs.base.Env")
    if lacking := sorted(found.__abstractmethods__):
        raise ValueError(f"{name} is no complete task: it lacks {listed(lacking, most=len(lacking))}")
    kinds = inspect.get_annotations(found)
    own = {name for name, kind in kinds.items() if "ClassVar" not in str(kind)} - {
        field.name for field in fields(found)
    }
    if own and "__dataclass_fields__" not in vars(found):
        raise ValueError(
            f"{name} has arguments ({listed(sorted(own))}), but no @dataclass(frozen=True, kw_only=True) above it"
        )
