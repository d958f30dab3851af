"""Plans made of single actions, and what they return in the environment itself."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.task import NUM_MOVES, MPETask
from jaxmarl_comm.envs.mpe.world import World, WorldState
from jaxmarl_comm.ladders.play import movers, returns, travel

Array = jax.Array

PUSHES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])  # of the five moves
DEPTH = 3  # moves to look ahead
SWEEPS = 2  # through a whole plan, to better its moves
NEAR = 4  # steps, at most, from one of two moves that are bettered together to the other


class Performed(NamedTuple):
    """Of each of `[E]` episodes the return, mean over agents, and whether the team succeeded."""

    returns: Array
    success: Array


def performed(env: MPETask, start: WorldState, moves: Array) -> Performed:
    """What `env` itself says to moves `[T, A, E]` or, continuous, `[T, A, 5, E]`."""
    state = jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), start)._replace(t=start.t[0])
    num_envs = start.pos.shape[-1]
    keys = jax.random.split(jax.random.key(0), num_envs)  # no chance plays a part in these tasks

    def step(state: WorldState, chosen: Array) -> tuple[WorldState, Array]:
        state, ts = env.step_many(keys, state, actions(env, jnp.moveaxis(chosen, -1, 0)))
        return state, jnp.mean(ts.reward, axis=-1)

    last, rewards = jax.lax.scan(step, state, moves)
    won = jax.vmap(env.outcome, in_axes=(env.state_axes,))(last)["success"]
    return Performed(jnp.sum(rewards, axis=0), jnp.mean(won, axis=-1, dtype=float))


def actions(env: MPETask, moves: Array) -> dict[str, Array]:
    """Group -> actions, of moves `[E, A, ...]`; nobody says anything but the first word."""
    of_groups, made = env.split(moves, axis=1), {}
    for group, space in env.action_spaces.items():
        given = {"move": of_groups[group]} if "move" in dict(space.factors) else {}
        made[group] = space.join(given, of_groups[group].shape[:2])
    return made


def as_vectors(pushed: Array) -> Array:
    """Pushes `[T, A, 2, E]` as continuous moves `[T, A, 5, E]`."""
    x, y = pushed[:, :, 0], pushed[:, :, 1]
    return jnp.maximum(jnp.stack([jnp.zeros_like(x), -x, x, -y, y], axis=2), 0.0)


def as_pushes(moves: Array) -> Array:
    """Moves `[T, A, E]` as pushes `[T, A, 2, E]`."""
    return jnp.moveaxis(jnp.asarray(PUSHES, float)[moves], -1, 2)


def tracked(env: MPETask, start: WorldState, pushed: Array) -> Array:
    """`[T, A, E]`: the moves that keep nearest to where pushes `[T, A, 2, E]` lead, looking DEPTH moves ahead."""
    pos = travel(env.world, start, pushed).pos
    ahead = jnp.concatenate([pos, jnp.repeat(pos[-1:], DEPTH, axis=0)])
    alone = World(agents=(env.world.agents[movers(env)[0]],), landmarks=())
    options = np.array(list(itertools.product(range(NUM_MOVES), repeat=DEPTH)))  # [S, D]
    shape = (len(options), *start.pos.shape[::2])  # [S, A, E]
    last = np.zeros((len(options), 1, 2))  # the last move is felt two steps later
    each = np.moveaxis(np.concatenate([PUSHES[options], last], axis=1), 0, -1)[:, :, :, None, None]
    tried = jnp.broadcast_to(each, (DEPTH + 1, 2, *shape)).reshape(DEPTH + 1, 1, 2, -1)

    def as_one(x: Array) -> Array:
        """`[A, 2, E]` -> `[1, 2, S * A * E]`, every agent alone with every option."""
        return jnp.broadcast_to(jnp.swapaxes(x, 0, 1)[:, None], (2, *shape)).reshape(1, 2, -1)

    def step(state: WorldState, t: Array) -> tuple[WorldState, Array]:
        lonely = state._replace(pos=as_one(state.pos), vel=as_one(state.vel))
        reached = travel(alone, lonely, tried).pos.reshape(DEPTH + 1, 2, *shape)
        wanted = jnp.swapaxes(jax.lax.dynamic_slice_in_dim(ahead, t, DEPTH + 1), 1, 2)[:, :, None]
        error = jnp.sum((reached - wanted) ** 2, axis=(0, 1))
        chosen = jnp.asarray(options[:, 0])[jnp.argmin(error, axis=0)]
        return jax.tree.map(lambda x: x[0], travel(env.world, state, as_pushes(chosen[None]))), chosen

    return jax.lax.scan(step, start, jnp.arange(len(pushed)))[1]


def bettered(env: MPETask, start: WorldState, moves: Array, num_blind: int = 0, num_goals: int = 1) -> Array:
    """Moves `[T, A, K * E]` of which hardly any two of an agent's, near each other, could be replaced with gain.

    Two at a time, because one alone, to be worth its while, often needs another that takes the push back. The first
    `num_blind` are the same for all goals, and stay so: they are judged by the mean over goals.
    """
    pairs = list(itertools.product(range(NUM_MOVES), repeat=2))
    starts = jax.tree.map(lambda x: jnp.tile(x, (*(1,) * (x.ndim - 1), len(pairs))), start)
    shape = (NUM_MOVES, NUM_MOVES, num_goals, -1)

    def better(moves: Array, where: Array) -> tuple[Array, None]:
        one, other, agent = where
        options = jnp.stack([moves.at[one, agent].set(a).at[other, agent].set(b) for a, b in pairs], axis=2)
        values = returns(env, starts, as_pushes(options.reshape(*moves.shape[:2], -1))).reshape(shape)
        values = _judged(values, other < num_blind)
        others = jnp.argmax(values, axis=1)
        first = jnp.argmax(_judged(jnp.max(values, axis=1), one < num_blind), axis=0)
        second = jnp.take_along_axis(others, first[None], axis=0)[0]
        return moves.at[one, agent].set(first.ravel()).at[other, agent].set(second.ravel()), None

    felt, end = len(moves) - 1, len(moves)  # the last move shows after the end
    near = [(t, t + apart) for t in range(felt) for apart in range(1, NEAR + 1) if t + apart < end]
    order = [(*pair, agent) for pair in near for agent in movers(env)] * SWEEPS
    return jax.lax.scan(better, moves, jnp.array(order, int).reshape(-1, 3))[0]


def _judged(values: Array, blindly: Array) -> Array:
    """`[..., K, E]`: for each goal, what a move is worth to those who choose it; blindly, the mean over goals."""
    return jnp.where(blindly, jnp.mean(values, axis=-2, keepdims=True), values)
