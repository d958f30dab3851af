"""Yardsticks: scripted teams to play beside a policy."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, Actor, Episodes, play
from jaxmarl_comm.evaluation.plays import stacked
from jaxmarl_comm.evaluation.sides import scripted_actor, versus
from jaxmarl_comm.scripted import make_side, sides_of

Array = jax.Array


def random_actor(env: Env) -> Actor:
    """Uniformly random actions, of all teams."""
    return versus(env, [scripted_actor(env, make_side("random", env, team)) for team in range(len(env.team_names))])


def oracle_actor(env: Env) -> Actor | None:
    """A hand-coded team that knows where everyone must go; None for a task without fixed targets, or of two sides."""
    if len(env.team_names) > 1 or "goal_seekers" not in sides_of(env, 0):
        return None
    return versus(env, [scripted_actor(env, make_side("goal_seekers", env, 0))])


def play_baselines(batch: Batch, key: Array) -> dict[str, Episodes]:
    """Episodes `[1, E, ...]` of the scripted teams that there are, of those that `key` starts."""
    actors = {"random": random_actor(batch.env), "oracle": oracle_actor(batch.env)}
    return {name: play_scripted(batch, actor, key) for name, actor in actors.items() if actor is not None}


def play_scripted(batch: Batch, actor: Actor, key: Array) -> Episodes:
    """Episodes `[1, E, ...]`, those that `key` starts."""
    run = jax.jit(partial(play, batch, actor, treatment=jnp.array(CLEAR), hears_words=False))
    return stacked([jax.device_get(run(key))])
