"""A PettingZoo environment by its name and arguments."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.envs.foreign.contract import Call, Description
from jaxmarl_comm.envs.foreign.env import ForeignEnv, groups_of
from jaxmarl_comm.envs.foreign.host import description
from jaxmarl_comm.envs.foreign.pool import WorkerError
from jaxmarl_comm.envs.outside import check_found, distrusted, imported
from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import shown

MOST_WORKERS = 1024
WHOLE = {"max_cycles": 2**31 - 1, "num_workers": MOST_WORKERS}


def make_foreign(name: str, arguments: Mapping[str, Any]) -> ForeignEnv:
    """The environment of such a name. max_cycles, ends_early and num_workers are ours, all else is its maker's.

    Raises ConfigError, in one line each, for what cannot be.
    """
    if wrong := list(_mistakes(name, arguments)):
        raise ConfigError(*wrong)
    target = name.removeprefix(PREFIX)
    check_found(target.partition(":")[0].partition(".")[0], name)
    if distrusted():
        _check_harmless(name, target)
    theirs = {key: value for key, value in arguments.items() if key not in ("ends_early", *WHOLE)}
    try:
        call = Call.of(target, theirs, arguments.get("max_cycles"))
        found = description(call)
    except WorkerError as error:
        raise ConfigError(f"{name} cannot be had: {error}") from None
    except TypeError as error:
        raise ConfigError(f"arguments of {name} must be numbers, words, lists or mappings: {error}") from None
    if found.max_cycles is None:
        raise ConfigError(f"{name} does not say how long its episodes are at most: give env.max_cycles")
    _check_groups(name, found)
    return ForeignEnv(
        call=call._replace(max_cycles=arguments.get("max_cycles")),
        max_cycles=found.max_cycles,
        continuous_actions=found.continuous,
        ends_early=arguments.get("ends_early", True),
        num_workers=arguments.get("num_workers", len(os.sched_getaffinity(0))),
    )


def _mistakes(name: str, arguments: Mapping[str, Any]) -> Any:
    parts = name.removeprefix(PREFIX).split(":")
    if len(parts) > 2 or not all(part and all(word.isidentifier() for word in part.split(".")) for part in parts):
        yield f"env.name is {shown(name)}, but must be {PREFIX}module or {PREFIX}module:callable"
    for key, most in WHOLE.items():
        value = arguments.get(key, 1)
        if type(value) is not int or not 1 <= value <= most:
            yield f"argument '{key}' of {name} is {shown(value)}, but must be a whole number from 1 to {most:,}"
    if not isinstance(ends := arguments.get("ends_early", True), bool):
        yield f"argument 'ends_early' of {name} is {shown(ends)}, but must be true or false"


def _check_harmless(name: str, target: str) -> None:
    """What a stranger's run may call: `parallel_env` of a module, or a class of environments; not any function."""
    module, _, path = target.partition(":")
    found = imported(module)
    if path not in ("", "parallel_env") and not _is_environment(getattr(found, path, None)):
        raise ConfigError(
            f"{name} is of a run folder, which may name no functions but parallel_env, and classes of ParallelEnv"
        )


def _is_environment(found: Any) -> bool:
    from pettingzoo import ParallelEnv

    return isinstance(found, type) and issubclass(found, ParallelEnv)


def _check_groups(name: str, found: Description) -> None:
    """Parameters go by names of groups, with an underscore behind."""
    groups = groups_of(found)
    for group in groups:
        if longer := [other for other in groups if other.startswith(f"{group}_")]:
            raise ConfigError(f"{name} has agents {group} and {longer[0]}: no name may go on where another ends")
