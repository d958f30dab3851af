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
from jaxmarl_comm.scripted import AIMLESS, make_side, sides_of

Array = jax.Array


def random_actor(env: Env) -> Actor:
    """Uniformly random actions, of all teams."""
    return versus(env, [scripted_actor(env, make_side("random", env, team)) for team in range(len(env.team_names))])


def skilled_actors(env: Env) -> dict[str, Actor]:
    """Scripted teams that know what their task is about, by name; none where sides compete."""
    if len(env.team_names) > 1:
        return {}
    skilled = {name: moves for name, moves in sides_of(env, 0).items() if name not in AIMLESS}
    return {name: versus(env, [scripted_actor(env, moves)]) for name, moves in skilled.items()}


def play_baselines(batch: Batch, key: Array) -> dict[str, Episodes]:
    """Episodes `[1, E, ...]` of the scripted teams that there are, of those that `key` starts."""
    actors = {"random": random_actor(batch.env), **skilled_actors(batch.env)}
    return {name: play_scripted(batch, actor, key) for name, actor in actors.items()}


def play_scripted(batch: Batch, actor: Actor, key: Array) -> Episodes:
    """Episodes `[1, E, ...]`, those that `key` starts."""
    run = jax.jit(partial(play, batch, actor, treatment=jnp.array(CLEAR), hears_words=False))
    return stacked([jax.device_get(run(key))])
