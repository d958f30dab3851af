"""What is said, what it costs, whether anyone listens, and what is left of it on a bad channel."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.influence import Influence, influence_meter
from jaxmarl_comm.evaluation.messages import message_statistics, speakers_of, traffic
from jaxmarl_comm.evaluation.per_team import returns_of
from jaxmarl_comm.evaluation.robustness import LOSSES, NOISES, OnBadChannel, on_bad_channel
from jaxmarl_comm.evaluation.stats import Estimate, estimate, over_seeds
from jaxmarl_comm.evaluation.streams import meter_by_step

Array = jax.Array

INFLUENCE_EPISODES = 1_000
ROBUSTNESS_EPISODES = 4_000
MOST = {  # of a measure whose name begins so; what is not named here has no upper bound, and none is negative
    "listening_tv": 1.0,
    "listening_js": log(2),
    "listening_changed": 1.0,
    "context_independence": 1.0,
}


def speaking(cfg: Config, env: Env, episodes: Episodes) -> dict[str, Estimate]:
    """What is said in episodes `[seeds, E, ...]`, and what it costs; `mean` is None where undefined.

    What `message_statistics` says; messages_per_episode, bits_per_episode: of each agent that can send.
    """
    found = {name: _estimate(env, name, values) for name, values in message_statistics(cfg, env, episodes).items()}
    messages, bits = traffic(cfg, env, episodes)
    return {**found, "messages_per_episode": over_seeds(messages, 0), "bits_per_episode": over_seeds(bits, 0)}


def exchange_meter(
    cfg: Config, env: Env, algorithm: Algorithm
) -> Callable[[Any, Callable[[str], None]], dict[str, Estimate]]:
    """A function of the teams of all seeds: what every message tells, and how far hearing changes what is done.

    message_information_by_step: see `Told`. The rest: see `Influence`. `mean` is None where undefined. Compiled when it
    is first used, which takes longer than to run it.
    """
    batch, key = _batch_and_key(cfg, env, INFLUENCE_EPISODES, 3)
    influence = influence_meter(cfg, batch, algorithm, key)
    by_step = meter_by_step(cfg, env, algorithm, _key(cfg, 5))

    def measure(teams: Any, tell: Callable[[str], None]) -> dict[str, Estimate]:
        found: dict[str, Any] = dict.fromkeys(("message_information_by_step", *Influence._fields))
        if speakers_of(cfg, env):
            tell(f"replacing what is heard, in {batch.num_envs:,} episodes")
            found |= influence(teams)._asdict()
            found["message_information_by_step"] = by_step(teams).message_information_by_step
        return {name: _estimate(env, name, np.zeros(0) if values is None else values) for name, values in found.items()}

    return measure


def bad_channel_player(cfg: Config, env: Env) -> OnBadChannel | None:
    """See `on_bad_channel`; None without a channel."""
    return on_bad_channel(cfg, *_batch_and_key(cfg, env, ROBUSTNESS_EPISODES, 4)) if cfg.comm.rounds else None


def on_bad_channels(
    env: Env, player: OnBadChannel | None, teams: Any, tell: Callable[[str], None]
) -> dict[str, dict[str, Estimate]]:
    """return_with_noise, return_with_loss: from the value to an estimate, of each team; empty without a player."""
    worse = {"noise": NOISES, "loss": LOSSES}
    found: dict[str, dict[str, Estimate]] = {name: {} for kind in worse for name in env.per_team(f"return_with_{kind}")}
    if player is None:
        return found
    tell("adding noise and loss to messages")
    for kind, values in worse.items():
        for value in values:
            for name, of_team in returns_of(env, player(teams, kind, value), f"return_with_{kind}").items():
                found[name][str(value)] = of_team
    return found


def _batch_and_key(cfg: Config, env: Env, most: int, stream: int) -> tuple[Batch, Array]:
    return Batch(env, min(most, cfg.eval_episodes)), _key(cfg, stream)


def _key(cfg: Config, stream: int) -> Array:
    return jax.random.fold_in(jax.random.key(cfg.seed), stream)


def _estimate(env: Env, name: str, values: np.ndarray) -> Estimate:
    most = next((bound for beginning, bound in MOST.items() if name.startswith(beginning)), np.inf)
    if name.startswith("message_information"):
        most = log(env.num_goals) if env.num_goals else np.inf
    return estimate(values, (0.0, most))
