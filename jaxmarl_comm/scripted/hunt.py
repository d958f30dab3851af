"""Sides that chase, and sides that flee."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.mpe.chase import Chase
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, MPETask, distances, outside
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.scripted.moves import Array, Moves, can
from jaxmarl_comm.scripted.steering import steered

LEAD = 0.3  # seconds by which a pursuer leads, at most
MOMENTS = 0.1 * np.arange(1, 6)  # seconds from now at which an evader asks whether it could be caught
DIRECTIONS = 16  # in which it may flee
WALL = 2.0  # distance that it would give for each unit that leaving the arena costs


def pursuer(env: Env, team: int) -> Moves | None:
    """Adversaries that each run at the nearest good agent, a little ahead of it."""
    if not isinstance(env, MPETask) or team != ADVERSARY or not can(env, team, "move"):
        return None
    hunters, prey = (np.array(env.team_members[side]) for side in (ADVERSARY, GOOD))

    def chase(state: WorldState) -> Array:
        apart = distances(state.pos[hunters], state.pos[prey])
        nearest = jnp.asarray(prey)[jnp.argmin(apart, axis=1)]
        ahead = jnp.minimum(jnp.min(apart, axis=1), LEAD)[:, None] * state.vel[nearest]
        return state.pos.at[hunters].set(state.pos[nearest] + ahead)

    return steered(env, team, chase)


def evader(env: Env, team: int) -> Moves | None:
    """Prey that runs where its head start on whoever could catch it stays the largest, and keeps within the arena."""
    if not isinstance(env, Chase) or team != GOOD:
        return None
    hunters_speed, speed = (env.world.agents[k].max_speed or 0.0 for k in (0, -1))  # all have a top speed
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    ways = np.concatenate([[[0.0, 0.0]], np.stack([np.cos(angles), np.sin(angles)], axis=-1)])
    steps = speed * MOMENTS[:, None, None] * ways  # [moments, ways, 2]

    def way_out(hunters: Array, pos: Array) -> Array:
        """`[2]`: where one prey should run."""
        there = pos + steps
        apart = jax.vmap(distances, in_axes=(0, None))(there, hunters)  # [moments, ways, hunters]
        head_start = jnp.min(apart, axis=-1) - hunters_speed * MOMENTS[:, None]
        best = jnp.argmax(jnp.min(head_start, axis=0) - WALL * jnp.mean(outside(there), axis=0))
        return there[-1, best]

    def flee(state: WorldState) -> Array:
        hunters, prey = env.sides(state)
        return jnp.concatenate([hunters, jax.vmap(way_out, in_axes=(None, 0))(hunters, prey)])

    return steered(env, team, flee)
