"""Sides whose agents have somewhere to be: at a goal, or spread over all that could be one."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.mpe.assignment import own_places
from jaxmarl_comm.envs.mpe.simple_adversary import SimpleAdversary
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, MPETask
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.scripted.moves import Array, Moves
from jaxmarl_comm.scripted.steering import steered


def goal_seekers(env: Env, team: int) -> Moves | None:
    """All go straight to where they must be, also those who would have to be told, and whatever it tells others."""
    return to_targets(env, team) if team == GOOD else None


def told_adversary(env: Env, team: int) -> Moves | None:
    """An adversary that knows the goal and goes there; what it gets in simple_adversary bounds all that must guess."""
    return to_targets(env, team) if team == ADVERSARY else None


def to_targets(env: Env, team: int) -> Moves | None:
    """To the task's `targets`, if it has any."""
    targets = getattr(env, "targets", None)
    return steered(env, team, targets) if targets and isinstance(env, MPETask) else None


def deceivers(env: Env, team: int) -> Moves | None:
    """Good agents that take a landmark each, at the least total distance, so that nobody can tell which is the goal."""
    if not isinstance(env, SimpleAdversary) or team != GOOD:
        return None

    def cover(state: WorldState) -> Array:
        return jnp.concatenate([state.pos[:1], own_places(state.pos[1:], state.landmarks)])

    return steered(env, team, cover)


def place_takers(env: Env, team: int) -> Moves | None:
    """Agents that take one of the task's `posts` each, at the least total distance, whoever is in the way."""
    posts = getattr(env, "posts", None)
    if posts is None or team != GOOD or not isinstance(env, MPETask):
        return None
    there = jax.eval_shape(lambda key: posts(env.draw(key)), jax.random.key(0))
    if len(there.shape) != 2 or there.shape[0] != env.num_agents:
        return None
    return steered(env, team, lambda state: own_places(state.pos, posts(state)))
