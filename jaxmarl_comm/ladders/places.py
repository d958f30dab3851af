"""Plans of teams that take places, whoever takes which: the best found from several assignments."""

from __future__ import annotations

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.places import TakePlaces
from jaxmarl_comm.envs.mpe.simple_formation import SimpleFormation
from jaxmarl_comm.envs.mpe.simple_spread import AGENT_SIZE, SimpleSpread
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import World, WorldState, norm
from jaxmarl_comm.ladders.ascent import Summit, ascend
from jaxmarl_comm.ladders.play import pushes, returns, travel

Array = jax.Array

TURNS = 6  # of a formation, tried as places
STARTS = 4  # assignments to climb from
WALK_STEPS = 200  # of the ascent of one agent to one place
REFINING_RATE = 0.1
ROOM = 2 * AGENT_SIZE + 0.02  # between agents of simple_spread, so that no contact is felt
ROUNDS = 50  # of pushing apart what is too near
SMALL = 1e-6


def possible_places(env: MPETask, state: WorldState) -> list[Array]:
    """Sets of places to try, `[R, N, 2]` of each kind: a formation may be turned, landmarks may be too near."""
    assert isinstance(env, SimpleSpread | TakePlaces)
    there = env.posts(state)
    if isinstance(env, SimpleSpread):
        return [there[None], pushed_apart(there)[None]]
    if not isinstance(env, SimpleFormation):
        return [there[None]]
    centre, angles = state.landmarks[0], 2 * np.pi / env.N / TURNS * np.arange(TURNS)
    turns = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    return [centre + jnp.einsum("ijr,nj->rni", turns, there - centre)]


def pushed_apart(there: Array) -> Array:
    """`[N, 2]`: the places, moved so that agents at two of them do not touch.

    An ascent that begins with agents at landmarks nearer than that sends one away and leaves both to the other, though
    from half of that on two side by side return more.
    """

    def push(_: int, there: Array) -> Array:
        offset = there[:, None] - there[None]
        distance = norm(offset)
        lacking = jnp.maximum(ROOM - distance, 0.0) * (1 - np.eye(len(there)))
        return there + jnp.sum((lacking / jnp.maximum(distance, SMALL))[..., None] * offset, axis=1) / 2

    return jax.lax.fori_loop(0, ROUNDS, push, there)


def best_found(env: MPETask, start: WorldState, num_steps: int) -> Summit:
    """The best of ascents on the real return from the most promising assignments; its bound means nothing."""
    begin = promising(env, start)  # [T, A, 2, M, E]
    num_starts, num_envs = begin.shape[-2:]
    starts = jax.tree.map(lambda x: jnp.tile(x, (*(1,) * (x.ndim - 1), num_starts)), start)
    objective = lambda plan: returns(env, starts, pushes(env, plan))  # noqa: E731
    climbed = ascend(objective, begin.reshape(*begin.shape[:3], -1), num_steps, REFINING_RATE)
    values = climbed.value.reshape(num_starts, num_envs)
    best = jnp.argmax(values, axis=0)
    plan = jnp.take_along_axis(climbed.plan.reshape(begin.shape), best[None, None, None, None], axis=-2)[..., 0, :]
    return Summit(plan, jnp.max(values, axis=0), jnp.full(num_envs, jnp.nan))


def promising(env: MPETask, start: WorldState) -> Array:
    """`[T, A, 2, M, E]`: of each kind of places, plans for the assignments that cost least if nobody is in the way."""
    kinds = jax.vmap(partial(possible_places, env), in_axes=-1, out_axes=-1)(start)  # [R, N, 2, E] each
    return jnp.concatenate([cheapest_walks(env, start, there) for there in kinds], axis=-2)


def cheapest_walks(env: MPETask, start: WorldState, there: Array) -> Array:
    """`[T, A, 2, M, E]`: plans for the M assignments to places `[R, N, 2, E]` that cost least."""
    walks = walk(env, start.pos, there)
    ways = np.array(list(itertools.permutations(range(env.num_agents))))  # [P, A]
    chosen = jax.nn.one_hot(ways, env.num_agents)  # [P, A, N]
    totals = jnp.einsum("pan,arne->rpe", chosen, walks.value)
    num_ways = min(STARTS, totals.shape[0] * totals.shape[1])
    best = jax.lax.top_k(totals.reshape(-1, totals.shape[-1]).T, num_ways)[1].T  # [M, E]
    turn, taken = best // len(ways), jnp.asarray(ways)[best % len(ways)]  # [M, E], [M, E, A]
    agents, episodes = np.arange(env.num_agents)[:, None, None], np.arange(best.shape[1])
    return walks.plan[:, :, agents, turn, jnp.moveaxis(taken, -1, 0), episodes].swapaxes(1, 2)


def walk(env: MPETask, pos: Array, there: Array) -> Summit:
    """Each agent `[A, 2, E]` alone, to each place `[R, N, 2, E]`: plans `[T, 2, A, R, N, E]`, values `[A, R, N, E]`."""
    shape = (pos.shape[0], *there.shape[:2], pos.shape[-1])
    begin = jnp.broadcast_to(jnp.swapaxes(pos, 0, 1)[:, :, None, None], (2, *shape)).reshape(1, 2, -1)
    target = jnp.broadcast_to(jnp.moveaxis(there, 2, 0)[:, None], (2, *shape)).reshape(2, -1)
    alone = World(agents=env.world.agents[:1], landmarks=())
    start = WorldState(begin, jnp.zeros_like(begin), *(jnp.zeros(0),) * 4)

    def objective(plan: Array) -> Array:
        offset = travel(alone, start, pushes(env, plan)).pos[:, 0] - target
        return -jnp.sum(norm(jnp.moveaxis(offset, 1, -1)), axis=0)

    climbed = ascend(objective, jnp.zeros((env.max_cycles, *begin.shape)), WALK_STEPS)
    plan = climbed.plan.reshape(env.max_cycles, 2, *shape)
    return Summit(plan, climbed.value.reshape(shape), climbed.bound.reshape(shape))
