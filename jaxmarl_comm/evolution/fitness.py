"""How fit members are: measured in greedy episodes from common starts, so that luck favours nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, hears_words, play, team_actor
from jaxmarl_comm.evaluation.messages import bits_per_message, speakers_of

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array
STREAM = 3  # of random numbers: no evaluation has the same starts


def fitness_key(cfg: Config, generation: Array) -> Array:
    """What starts the episodes of a generation: others than those of any before."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(cfg.seed), STREAM), generation)


def measurer(cfg: Config, env: Env, algorithm: Algorithm) -> Callable[[Array, Any], Array]:
    """A function from a key and the teams of all members to their fitness `[members]`: the mean over episodes.

    Each bit that an agent sends in an episode, on average over those that can send, costs `evolution.bit_price`.
    """
    evolution, batch = cfg.evolution, Batch(env, cfg.evolution.fitness_episodes)
    speakers = jnp.array(speakers_of(cfg, env), int)

    def of_member(key: Array, team: Any) -> Array:
        actor = team_actor(batch, algorithm, team, jnp.array(True))
        episodes = play(batch, actor, key, treatment=jnp.array(CLEAR), hears_words=hears_words(cfg))
        worth = (episodes.returns if evolution.fitness == "return" else episodes.success)[:, 0].mean()
        if not evolution.bit_price:
            return worth
        bits = bits_per_message(cfg, env, team.numbers)
        return worth - evolution.bit_price * bits * episodes.num_sent[:, speakers].mean()

    return lambda key, teams: jax.vmap(of_member, in_axes=(None, 0))(key, teams)
