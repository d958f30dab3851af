"""How a scripted agent gets where it wants to be, by index or by vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import DAMPING, DT, WorldState, norm
from jaxmarl_comm.scripted.moves import Array, Moves, actions_of

BRAKING_STEPS = 1.25  # how far ahead the controller aims; found by trying, best on simple_reference
Aim = Callable[[WorldState], Array]
"""State of one environment -> `[A, 2]`, where each agent wants to be."""


def steered(env: MPETask, team: int, aim: Aim) -> Moves:
    """Each agent takes the move after which, going on at that velocity for a few steps, it would be nearest its aim."""
    choose = push if env.continuous_actions else nearest_move
    accel = np.array([body.accel for body in env.world.agents])

    def moves(key: Array, state: Any, obs: dict[str, Array]) -> dict[str, Array]:
        chosen = jax.vmap(lambda s: choose(s.pos, s.vel, aim(s), accel), in_axes=(env.state_axes,))(state)
        return actions_of(env, team, obs, {"move": chosen})

    return moves


def nearest_move(pos: Array, vel: Array, aims: Array, accel: np.ndarray) -> Array:
    """`[A]`: the best of the five moves for agents, and their aims, `[A, 2]` each. accel: `[A]`, of a full move."""
    pushes = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]) * accel[:, None, None]
    drifted = vel[:, None] * (1 - DAMPING) + pushes * DT
    ahead = pos[:, None] + DT * vel[:, None] + DT * BRAKING_STEPS * drifted
    return jnp.argmin(norm(ahead - aims[:, None]), axis=-1)


def push(pos: Array, vel: Array, aims: Array, accel: np.ndarray) -> Array:
    """`[A, 5]`: the best move as a vector; along each axis, the push that leads to the aim, or as far as it can."""
    drifted = pos + DT * vel + DT * BRAKING_STEPS * vel * (1 - DAMPING)
    force = jnp.clip((aims - drifted) / (DT * BRAKING_STEPS * DT * accel[:, None]), -1, 1)
    x, y = force[:, 0], force[:, 1]
    return jnp.maximum(jnp.stack([jnp.zeros_like(x), -x, x, -y, y], axis=-1), 0.0)
