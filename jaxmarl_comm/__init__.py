"""Agents that learn to talk: MPE tasks, MAPPO and a differentiable channel in one jit-compiled JAX program."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxmarl_comm.api import default_cfg, evaluate, train_wrapper
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs import make_env
    from jaxmarl_comm.policy import load_policy

_HOME = {
    "Config": "config",
    "default_cfg": "config",
    "evaluate": "api",
    "load_policy": "policy",
    "make_env": "envs",
    "train_wrapper": "api",
}

__all__ = ["Config", "default_cfg", "evaluate", "load_policy", "make_env", "train_wrapper"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: importing the package alone takes no time."""
    if name not in _HOME:
        raise AttributeError(f"module 'jaxmarl_comm' has no attribute '{name}'")
    return getattr(import_module(f"jaxmarl_comm.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
