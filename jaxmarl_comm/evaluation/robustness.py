"""What is left of the return when a channel gets worse than it was in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, play, team_actor
from jaxmarl_comm.trees import unstack

Array = jax.Array

NOISES = (0.5, 1.0, 2.0)  # standard deviations on each number
LOSSES = (0.25, 0.5, 0.75, 1.0)

OnBadChannel = Callable[[Any, str, float], np.ndarray]
"""(teams of all seeds, `noise` or `loss`, how much of it) -> `[seeds, E, T]` greedy returns."""


def on_bad_channel(cfg: Config, batch: Batch, key: Array) -> OnBadChannel:
    """Who plays the same episodes again and again, while the channel gets worse.

    All else on it, the other of noise and loss included, is as in training. The config must have a channel. Compiled
    when it is first used, once for all. The key is consumed.
    """
    # Both stages are there if their numbers are not 0 in the config; how much of each is the team's own.
    algorithm = make_algorithm(cfg.replace({"comm.noise": NOISES[0], "comm.loss": LOSSES[0]}), batch.env)

    @jax.jit
    def run(team: Any, noise: Array, loss: Array) -> Array:
        worse = team._replace(numbers=team.numbers._replace(noise=noise, loss=loss))
        actor = team_actor(batch, algorithm, worse, jnp.array(True))
        return play(batch, actor, key, treatment=jnp.array(CLEAR), hears_words=False).returns

    def play_seeds(teams: Any, name: str, value: float) -> np.ndarray:
        returns = []
        for team in unstack(teams):
            own = {"noise": team.numbers.noise, "loss": team.numbers.loss}
            # Of the same type as the team's own, so that there is but one program to compile.
            returns.append(np.asarray(run(team, **own | {name: jnp.full_like(own[name], value)})))
        return np.stack(returns)

    return play_seeds
