"""A team that a run has trained, as a side of a task that others learn in. Nothing of it changes any more."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.against import Side
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.sides import learned_actor
from jaxmarl_comm.scripted.moves import groups_of

Array = jax.Array


class Frozen(NamedTuple):
    """One seed of a run. cfg, iteration: of the run. team: what acts, its parameters and the channel's numbers."""

    cfg: Config
    iteration: int
    team: Any

    @property
    def fingerprint(self) -> str:
        """The same only for who acts the same."""
        digest = hashlib.sha256(self.cfg.to_yaml().encode())
        for leaf in jax.tree.leaves(self.team):
            digest.update(np.asarray(leaf).tobytes())
        return digest.hexdigest()[:16]


def frozen_side(name: str, task: Env, number: int, frozen: Frozen) -> Side:
    """Who plays the team of this number in the task, by its own run's algorithm, networks, groups and channel.

    It samples its actions, as it did while it learned, both where others learn against it and where they are judged:
    what sides that compete come to may be a mixture, and the most probable action of a mixture is nobody's strategy,
    which whoever learns against it would merely learn by heart.
    """
    env = frozen.cfg.make_env()
    algorithm, own = make_algorithm(frozen.cfg, env), groups_of(task, number)

    def moves(key: Array, state: Any, obs: dict[str, Array], memory: Any) -> tuple[dict[str, Array], Any]:
        batch = Batch(task, len(next(iter(obs.values()))))
        actor = learned_actor(batch, env, algorithm, frozen.team, greedy=jnp.array(False))
        done = actor.act(key, state, obs, memory, unchanged)
        return {group: done.actions[group] for group in own}, done.memory

    return Side(f"{name} ({frozen.fingerprint})", moves, algorithm.memory)
