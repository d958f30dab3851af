"""The same episodes under one treatment after another, for the teams of all seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, SHUFFLED, Episodes, hears_words, play, team_actor
from jaxmarl_comm.evaluation.messages import bits_per_message
from jaxmarl_comm.trees import unstack

Array = jax.Array

TREATMENTS = {  # name -> (greedy, what is done to messages)
    "greedy": (True, CLEAR),
    "sampled": (False, CLEAR),
    "muted": (True, MUTED),
    "shuffled": (True, SHUFFLED),
}

Player = Callable[[Any, str], Episodes]
"""(teams of all seeds, one of TREATMENTS) -> Episodes whose arrays are `[seeds, ...]`, in numpy."""


def evaluation_key(cfg: Config) -> Array:
    """What starts the episodes of every evaluation with this config's seed."""
    return jax.random.fold_in(jax.random.key(cfg.seed), 1)


def player(cfg: Config, batch: Batch, algorithm: Algorithm, key: Array, **kept: bool) -> Player:
    """Who plays the episodes that `key` starts: one compiled program for all teams and treatments.

    kept: what else `play` is to keep of them, `stream` and `sight`.
    """

    @jax.jit
    def run(team: Any, greedy: Array, treatment: Array) -> Episodes:
        actor = team_actor(batch, algorithm, team, greedy)
        episodes = play(batch, actor, key, treatment=treatment, hears_words=hears_words(cfg), **kept)
        bits = jnp.asarray(bits_per_message(cfg, batch.env, team.numbers), float)
        return episodes._replace(bits_per_message=bits)

    def play_seeds(teams: Any, name: str) -> Episodes:
        greedy, treatment = (jnp.array(x) for x in TREATMENTS[name])
        return stacked([jax.device_get(run(team, greedy, treatment)) for team in unstack(teams)])

    return play_seeds


def stacked(episodes: list[Episodes]) -> Episodes:
    """Each seed's episodes as one, a leading axis on every array."""
    return jax.tree.map(lambda *x: np.stack(x), *episodes)
