"""Whole episodes under given pushes, in the task's own physics; the axis `[E]` of environments comes last."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.simple_spread import AGENT_SIZE, SimpleSpread
from jaxmarl_comm.envs.mpe.task import MPETask, distances
from jaxmarl_comm.envs.mpe.world import World, WorldState, move

Array = jax.Array

BUMP_WIDTH = 0.03  # over how much distance a bump comes and goes, for the gradient alone


def draw(env: MPETask, key: Array, num_envs: int) -> WorldState:
    """Random starts, as `env.reset` draws them. The key is consumed."""
    return jax.vmap(env.draw, out_axes=-1)(jax.random.split(key, num_envs))


def movers(env: MPETask) -> list[int]:
    """Canonical positions of the agents that can move."""
    return [k for k, body in enumerate(env.world.agents) if body.movable]


def pushes(env: MPETask, plan: Array) -> Array:
    """Numbers in [-1, 1] `[T, A, 2, E]` -> pushes that a mixture of actions could give, in units of a full move.

    The diamond of discrete moves is a square turned by 45 degrees, so that both kinds of actions have the same bounds.
    """
    if env.continuous_actions:
        return plan
    one, other = plan[:, :, 0], plan[:, :, 1]
    return jnp.stack([one + other, one - other], axis=2) / 2


def travel(world: World, start: WorldState, pushed: Array) -> WorldState:
    """All states after the start, `[T, ...]`, under pushes `[T, A, 2, E]` of agents that cannot all move."""
    accel = np.array([body.accel * body.movable for body in world.agents])[:, None, None]

    def step(state: WorldState, push: Array) -> tuple[WorldState, WorldState]:
        state = move(world, state, push * accel)
        return state, state

    return jax.lax.scan(step, start, pushed)[1]


def returns(env: MPETask, start: WorldState, pushed: Array) -> Array:
    """`[E]`: what these pushes return. The gradient also feels bumps, which rewards count in whole numbers."""
    each_step = jax.vmap(jax.vmap(lambda state: _reward(env, state), in_axes=-1, out_axes=-1))
    states = travel(env.world, start, pushed)
    return jnp.sum(each_step(states), axis=0)


def _reward(env: MPETask, state: WorldState) -> Array:
    """`[]`: the mean over agents, with the value of `env.rewards` and a smooth gradient of bumps."""
    reward = jnp.mean(env.rewards(state))
    if not isinstance(env, SimpleSpread):
        return reward
    near = jax.nn.sigmoid((2 * AGENT_SIZE - distances(state.pos, state.pos)) / BUMP_WIDTH)
    bumps = env.local_ratio * jnp.mean(jnp.sum(near * (1 - np.eye(env.N)), axis=-1))
    return reward - (bumps - jax.lax.stop_gradient(bumps))
