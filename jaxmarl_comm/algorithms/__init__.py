"""What an algorithm is; a new one is one file here, and one line in `registry.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax

from jaxmarl_comm.comm.channel import Intervention
from jaxmarl_comm.registry import ALGORITHMS, load

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env
    from jaxmarl_comm.envs.batch import Batch

Array = jax.Array
RUNS = "runs"  # the axis of those who learn side by side


class View(NamedTuple):
    """What a team goes by at one step, in each of E environments.

    obs: group -> `[E, n, obs_dim]`. positions: `[E, N, 2]`, or None where nobody needs them. memory: what the team
    remembers, a pytree of `[E, ...]`.
    """

    obs: dict[str, Array]
    positions: Array | None
    memory: Any


class Act(NamedTuple):
    """What a team does.

    actions: group -> `[E, n, ...]`. messages: `[E, N, M]`, on the channel (M may be 0), and sent: `[E, R, N]`, 1 where
    an agent sent one in a round. memory: as in View, for the next step. distributions: group -> what the
    actions were taken from; empty for scripted teams.
    """

    actions: dict[str, Array]
    messages: Array
    sent: Array
    memory: Any
    distributions: dict[str, Any]


class Algorithm(NamedTuple):
    """A learner as pure functions, closed over what is static; everything that changes is in one state.

    init: key -> state of one seed. update: state -> (state, metrics: name -> scalar), one iteration.
    team: state -> the team that plays: its parameters, and the channel's numbers.
    view: (batch, its state, obs, memory) -> what the team goes by.
    act: (team, key, view, greedy `[]` bool, intervention on what is heard) -> Act, as in execution.
    memory: number of environments -> a team's memory at the start of an episode.
    vary: (state, name -> `[]` number) -> state with these of its swept hyperparameters; `comm.noise` is one name.
    state_axes: `vmap` axes of the state over seeds.
    heritage: names of what of a state a descendant has of its parent; the rest is its own world, and its `key`.
    together: how many neighbours on the axis of RUNS learn from each other.
    shown: names of the metrics that a user wants to see while it learns.
    """

    init: Callable[[Array], Any]
    update: Callable[[Any], tuple[Any, dict[str, Array]]]
    team: Callable[[Any], Any]
    view: Callable[[Batch, Any, dict[str, Array], Any], View]
    act: Callable[[Any, Array, View, Array, Intervention], Act]
    memory: Callable[[int], Any]
    vary: Callable[[Any, Mapping[str, Array]], Any]
    state_axes: Any
    heritage: tuple[str, ...]
    shown: tuple[str, ...]
    together: int = 1


def make_algorithm(cfg: Config, env: Env) -> Algorithm:
    """The algorithm that the config names, for this environment."""
    return load(ALGORITHMS[cfg.algorithm].make)(cfg, env)
