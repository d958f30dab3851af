"""Agents that learn to talk: MPE tasks, MAPPO and a differentiable channel in one jit-compiled JAX program."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxmarl_comm.api import (
        crossplay,
        default_cfg,
        evaluate,
        evolve,
        exploit,
        make_report,
        replay,
        resume,
        train_study,
        train_wrapper,
    )
    from jaxmarl_comm.checkpoint import CheckpointError
    from jaxmarl_comm.config import Config, ConfigError
    from jaxmarl_comm.envs import make_env
    from jaxmarl_comm.envs.base import ActionSpace, Env, TimeStep
    from jaxmarl_comm.envs.batch import Batch
    from jaxmarl_comm.envs.checking import check_env
    from jaxmarl_comm.files import RunError
    from jaxmarl_comm.policy import load_policy

    __version__: str

_HOME = {
    "ActionSpace": "envs.base",
    "Batch": "envs.batch",
    "CheckpointError": "checkpoint",
    "Config": "config",
    "ConfigError": "config",
    "Env": "envs.base",
    "RunError": "files",
    "TimeStep": "envs.base",
    "check_env": "envs.checking",
    "crossplay": "api",
    "default_cfg": "config",
    "evaluate": "api",
    "evolve": "api",
    "exploit": "api",
    "load_policy": "policy",
    "make_env": "envs",
    "make_report": "api",
    "replay": "api",
    "resume": "api",
    "train_study": "api",
    "train_wrapper": "api",
}

__all__ = [
    "ActionSpace",
    "Batch",
    "CheckpointError",
    "Config",
    "ConfigError",
    "Env",
    "RunError",
    "TimeStep",
    "__version__",
    "check_env",
    "crossplay",
    "default_cfg",
    "evaluate",
    "evolve",
    "exploit",
    "load_policy",
    "make_env",
    "make_report",
    "replay",
    "resume",
    "train_study",
    "train_wrapper",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package alone takes no time."""
    if name == "__version__":
        return version("jaxmarl_comm")
    if name not in _HOME:
        raise AttributeError(f"module 'jaxmarl_comm' has no attribute '{name}'")
    return getattr(import_module(f"jaxmarl_comm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
