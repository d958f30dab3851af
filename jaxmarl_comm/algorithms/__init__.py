"""What an algorithm is, and the registry: a new one is one file, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxmarl_comm.comm.channel import Intervention

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array


class Act(NamedTuple):
    """What a team does. actions: group -> `[E, n, ...]`. messages: `[E, N, M]` sent over the channel (M may be 0)."""

    actions: dict[str, Array]
    messages: Array


class Algorithm(NamedTuple):
    """A learner as pure functions, closed over what is static; everything that changes is in one state.

    init: key -> state of one seed. update: state -> (state, metrics: name -> scalar), one iteration.
    act: (policy parameters, key, obs, greedy `[]` bool, intervention on the messages) -> Act.
    policy: state -> policy parameters. state_axes: `vmap` axes of the state over seeds.
    """

    init: Callable[[Array], Any]
    update: Callable[[Any], tuple[Any, dict[str, Array]]]
    act: Callable[[Any, Array, dict[str, Array], Array, Intervention], Act]
    policy: Callable[[Any], Any]
    state_axes: Any


ALGORITHMS: dict[str, str] = {
    "mappo": "jaxmarl_comm.algorithms.mappo:make_mappo",
}


def make_algorithm(cfg: Config, env: Env) -> Algorithm:
    """The algorithm that the config names, for this environment."""
    module, function = ALGORITHMS[cfg.algorithm].split(":")
    return getattr(import_module(module), function)(cfg, env)
