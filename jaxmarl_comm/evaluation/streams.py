"""What messages tell at each step of an episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.comm import metrics
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, Episodes, hears_words, play, team_actor
from jaxmarl_comm.evaluation.messages import speakers_of
from jaxmarl_comm.trees import unstack

Array = jax.Array

MOST_EPISODES = 2_000
MOST_STEPS = 2**18  # of all episodes together, as every message is kept


class Told(NamedTuple):
    """I(message; private goal | step), means over the agents that know a private goal; NaN of a diverged seed.

    message_information_by_step: `[seeds]`, over all steps, each weighing as much as is sent at it: a code that changes
    with time, or is rarely used, is not diluted. message_information_at_step: `[seeds, T]`, NaN where (almost) nothing
    is sent. See `metrics.information_by_step`.
    """

    message_information_by_step: np.ndarray
    message_information_at_step: np.ndarray


def meter_by_step(cfg: Config, env: Env, algorithm: Algorithm, key: Array) -> Callable[[Any], Told]:
    """A function of the teams of all seeds, in the same greedy episodes; compiled when it is first used.

    What it finds is empty if nothing is sent or there are no private goals. The key is consumed.
    """
    batch = Batch(env, max(1, min(cfg.eval_episodes, MOST_EPISODES, MOST_STEPS // env.max_cycles)))

    @jax.jit
    def overhear(team: Any) -> Episodes:
        actor = team_actor(batch, algorithm, team, jnp.array(True))
        return play(batch, actor, key, treatment=jnp.array(CLEAR), hears_words=hears_words(cfg), stream=True)

    def measure(teams: Any) -> Told:
        if not (speakers_of(cfg, env) and env.num_goals):
            return Told(np.zeros(0), np.zeros((0, env.max_cycles)))
        told = [_of_seed(cfg, env, jax.device_get(overhear(team))) for team in unstack(teams)]
        return Told(*(np.array(x) for x in zip(*told, strict=True)))

    return measure


def _of_seed(cfg: Config, env: Env, episodes: Episodes) -> tuple[float, np.ndarray]:
    """(mean over steps, `[T]`) of one seed's episodes."""
    tellers = [n for n in speakers_of(cfg, env) if (episodes.goals[:, n] >= 0).all()]
    means, curves = [], []
    for n in tellers:
        sent = episodes.stream.sent[:, :, n]
        curves.append(
            metrics.information_by_step(episodes.stream.messages[:, :, n], sent, episodes.goals[:, n], env.num_goals)
        )
        means.append(metrics.mean_over_steps(curves[-1], sent))
    return float(np.mean(means)) if means else np.nan, _mean_where_known(np.array(curves), env.max_cycles)


def _mean_where_known(curves: np.ndarray, num_steps: int) -> np.ndarray:
    """`[T]` from `[n, T]` with NaN in it; NaN where all are."""
    known = np.isfinite(curves.reshape(-1, num_steps))
    total = np.where(known, curves.reshape(-1, num_steps), 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
