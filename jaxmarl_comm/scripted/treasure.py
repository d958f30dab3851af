"""A side that carries treasures home."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.mpe.assignment import cheapest
from jaxmarl_comm.envs.mpe.collect_treasure import CollectTreasure
from jaxmarl_comm.envs.mpe.task import GOOD, distances
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.scripted.moves import Array, Moves
from jaxmarl_comm.scripted.steering import steered

NONE = 10.0  # what it costs to fetch nothing: more than any way to a treasure


def carriers(env: Env, team: int) -> Moves | None:
    """Idle collectors fetch a treasure each, at the least total distance; others bring theirs to its deposit.

    A deposit comes to meet the nearest one who carries something to it, else it waits among the collectors.
    """
    if not isinstance(env, CollectTreasure) or team != GOOD:
        return None
    num_collectors, num_treasures = env.num_collectors, env.num_treasures
    size = max(num_collectors, num_treasures)

    def fetch(state: WorldState, collectors: Array) -> Array:
        """`[C, 2]`: where idle collectors go; those stay for whom there is no treasure."""
        kinds, held = env.contents(state)
        costs = jnp.where(kinds >= 0, distances(collectors, state.landmarks), NONE)
        among = jnp.full((size, size), NONE, costs.dtype).at[:num_collectors, :num_treasures].set(costs)
        among = jnp.where(jnp.pad(held < 0, (0, size - num_collectors))[:, None], among, 0.0)  # others leave the choice
        own = cheapest(among)[:num_collectors, :num_treasures] & (kinds >= 0)
        return jnp.where(jnp.any(own, axis=1)[:, None], state.landmarks[jnp.argmax(own, axis=1)], collectors)

    def aims(state: WorldState) -> Array:
        held = env.contents(state)[1]
        collectors, deposits = state.pos[:num_collectors], state.pos[num_collectors:]
        ways = jnp.where((held < 0)[:, None], fetch(state, collectors), deposits[jnp.maximum(held, 0)])
        brings = held[None] == np.arange(env.num_deposits)[:, None]  # [deposits, collectors]
        nearest = collectors[jnp.argmin(jnp.where(brings, distances(deposits, collectors), jnp.inf), axis=1)]
        expected = jnp.where(jnp.any(brings, axis=1)[:, None], nearest, jnp.mean(collectors, axis=0))
        return jnp.concatenate([ways, expected])

    return steered(env, team, aims)
