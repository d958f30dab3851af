"""Sides that chase, and sides that flee: each agent goes by those whom it sees, and knows how fast they are."""

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
FAR = 10.0  # distance at which an evader takes those to be whom it does not see
WALL = 2.0  # distance that it would give for each unit that leaving the arena costs


def pursuer(env: Env, team: int) -> Moves | None:
    """Adversaries that each run at the nearest good agent they see, a little ahead of it; who sees none stays."""
    if not isinstance(env, MPETask) or team != ADVERSARY or not can(env, team, "move"):
        return None
    hunters, prey = (np.array(env.team_members[side]) for side in (ADVERSARY, GOOD))

    def chase(state: WorldState) -> Array:
        apart = distances(state.pos[hunters], state.pos[prey])
        if isinstance(env, Chase):
            apart = jnp.where(env.sight(state)[np.ix_(hunters, prey)], apart, jnp.inf)
        nearest, nearness = jnp.asarray(prey)[jnp.argmin(apart, axis=1)], jnp.min(apart, axis=1)[:, None]
        ahead = state.pos[nearest] + jnp.minimum(nearness, LEAD) * state.vel[nearest]
        return state.pos.at[hunters].set(jnp.where(nearness < jnp.inf, ahead, state.pos[hunters]))

    return steered(env, team, chase)


def evader(env: Env, team: int) -> Moves | None:
    """Prey that runs where its head start on all that it sees hunting stays the largest, and keeps within the arena."""
    if not isinstance(env, Chase) or team != GOOD:
        return None
    hunters_speed, speed = (env.world.agents[k].max_speed or 0.0 for k in (0, -1))  # all have a top speed
    angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
    ways = np.concatenate([[[0.0, 0.0]], np.stack([np.cos(angles), np.sin(angles)], axis=-1)])
    steps = speed * MOMENTS[:, None, None] * ways  # [moments, ways, 2]

    def way_out(hunters: Array, seen: Array, pos: Array) -> Array:
        """`[2]`: where one prey should run."""
        there = pos + steps
        apart = jax.vmap(distances, in_axes=(0, None))(there, hunters)  # [moments, ways, hunters]
        apart = jnp.where(seen, apart, FAR)
        head_start = jnp.min(apart, axis=-1) - hunters_speed * MOMENTS[:, None]
        best = jnp.argmax(jnp.min(head_start, axis=0) - WALL * jnp.mean(outside(there), axis=0))
        return there[-1, best]

    def flee(state: WorldState) -> Array:
        hunters, prey = env.sides(state)
        seen = env.sight(state)[env.num_adversaries :, : env.num_adversaries]
        return jnp.concatenate([hunters, jax.vmap(way_out, in_axes=(None, 0, 0))(hunters, seen, prey)])

    return steered(env, team, flee)
