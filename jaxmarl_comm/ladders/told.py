"""Plans of a team whose goal is told late, or never."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.ladders.ascent import Summit, ascend
from jaxmarl_comm.ladders.play import pushes, returns

Array = jax.Array


class Plan(NamedTuple):
    """Numbers in [-1, 1]: `blind` `[B, A, 2, E]` for the steps before goals are known, `told` `[T - B, A, 2, K, E]`
    for the others, for each of the K goals."""

    blind: Array
    told: Array

    def all_steps(self) -> Array:
        """`[T, A, 2, K * E]`, goal by goal."""
        num_goals, num_envs = self.told.shape[-2:]
        blind = jnp.broadcast_to(self.blind[..., None, :], (*self.blind.shape[:-1], num_goals, num_envs))
        steps = jnp.concatenate([blind, self.told])
        return steps.reshape(*steps.shape[:3], num_goals * num_envs)


def with_every_goal(env: MPETask, start: WorldState) -> WorldState:
    """The same starts `[E]` with every goal in turn, `[K * E]`; as they are in a task without goals.

    All agents get the same goal. This is enough, since nobody's return depends on the goal of another.
    """
    if not env.num_goals:
        return start
    num_envs = start.pos.shape[-1]
    repeated = jax.tree.map(lambda x: jnp.tile(x, (*(1,) * (x.ndim - 1), env.num_goals)), start)
    goals = jnp.repeat(jnp.arange(env.num_goals), num_envs)
    return repeated._replace(choice=jnp.broadcast_to(goals, repeated.choice.shape))


def best_plan(env: MPETask, start: WorldState, num_blind: int, num_steps: int) -> Summit:
    """The best that a team does which learns its goals after so many steps; returns are means over all goals.

    num_blind: 0 with hindsight, 1 as from a word, `max_cycles` in silence.
    """
    starts, num_goals = with_every_goal(env, start), max(env.num_goals, 1)
    num_envs, shape = start.pos.shape[-1], (env.num_agents, 2)
    still = Plan(
        jnp.zeros((num_blind, *shape, num_envs)),
        jnp.zeros((env.max_cycles - num_blind, *shape, num_goals, num_envs)),
    )

    def objective(plan: Plan) -> Array:
        each = returns(env, starts, pushes(env, plan.all_steps()))
        return jnp.mean(each.reshape(num_goals, num_envs), axis=0)

    return ascend(objective, still, num_steps)
