"""Yardsticks: scripted teams to play beside a policy."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Act
from jaxmarl_comm.comm.channel import Intervention
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.world import DAMPING, DT, norm
from jaxmarl_comm.evaluation.episodes import CLEAR, Actor, Episodes, play
from jaxmarl_comm.evaluation.plays import stacked

Array = jax.Array


FORCE = 5.0  # of a full move
BRAKING_STEPS = 1.25  # how far ahead the scripted controller aims; found by trying, best on simple_reference


def random_actor(env: Env) -> Actor:
    """Uniformly random actions."""

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        actions, keys = {}, jax.random.split(key, len(env.groups))
        for group, group_key in zip(env.groups, keys, strict=True):
            space, shape = env.action_spaces[group], obs[group].shape[:-1]
            if space.continuous:
                actions[group] = jax.random.uniform(group_key, (*shape, space.dim))
            else:
                actions[group] = jax.random.randint(group_key, shape, 0, space.n)
        return in_silence(env, actions)

    return Actor(act, memory=lambda num_envs: ())


def oracle_actor(env: Env) -> Actor | None:
    """A hand-coded team that knows where everyone must go; None for a task without fixed targets.

    Each agent takes the move after which, going on at that velocity for a few steps, it would be nearest its target.
    """
    targets = getattr(env, "targets", None)
    if targets is None or env.ends_early:
        return None
    choose = push if env.continuous_actions else nearest_move

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        moves = jax.vmap(lambda s: choose(s.pos, s.vel, targets(s)), in_axes=(env.state_axes,))(state)
        of_groups, actions = env.split(moves, axis=1), {}
        for group, space in env.action_spaces.items():
            given = {"move": of_groups[group]} if "move" in dict(space.factors) else {}
            actions[group] = space.join(given, obs[group].shape[:-1])
        return in_silence(env, actions)

    return Actor(act, memory=lambda num_envs: ())


def nearest_move(pos: Array, vel: Array, targets: Array) -> Array:
    """`[A]`: the best of the five moves for agents, and their targets, `[A, 2]` each."""
    pushes = jnp.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]) * FORCE
    drifted = vel[:, None] * (1 - DAMPING) + pushes * DT
    ahead = pos[:, None] + DT * vel[:, None] + DT * BRAKING_STEPS * drifted
    return jnp.argmin(norm(ahead - targets[:, None]), axis=-1)


def push(pos: Array, vel: Array, targets: Array) -> Array:
    """`[A, 5]`: the best move as a vector; along each axis, the push that leads to the target, or as far as it can."""
    drifted = pos + DT * vel + DT * BRAKING_STEPS * vel * (1 - DAMPING)
    force = jnp.clip((targets - drifted) / (DT * BRAKING_STEPS * DT * FORCE), -1, 1)
    x, y = force[:, 0], force[:, 1]
    return jnp.maximum(jnp.stack([jnp.zeros_like(x), -x, x, -y, y], axis=-1), 0.0)


def in_silence(env: Env, actions: dict[str, Array]) -> Act:
    """These actions, with no messages and nothing to remember."""
    num_envs = next(iter(actions.values())).shape[0]
    no_messages, never_sent = jnp.zeros((num_envs, env.num_agents, 0)), jnp.zeros((num_envs, 0, env.num_agents))
    return Act(actions, no_messages, never_sent, (), {})


def play_baselines(batch: Batch, key: Array) -> dict[str, Episodes]:
    """Episodes `[1, E, ...]` of the scripted teams that there are, of those that `key` starts."""
    actors = {"random": random_actor(batch.env), "oracle": oracle_actor(batch.env)}
    return {name: play_scripted(batch, actor, key) for name, actor in actors.items() if actor is not None}


def play_scripted(batch: Batch, actor: Actor, key: Array) -> Episodes:
    """Episodes `[1, E, ...]`, those that `key` starts."""
    run = jax.jit(partial(play, batch, actor, treatment=jnp.array(CLEAR), hears_words=False))
    return stacked([jax.device_get(run(key))])
