"""What agents tell: statistics of the messages of finished episodes."""

from __future__ import annotations

from math import log2
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.comm import metrics
from jaxmarl_comm.comm.channel import Numbers
from jaxmarl_comm.comm.config import BITS_OF_A_NUMBER
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import WORD, Env
from jaxmarl_comm.evaluation.episodes import Episodes, deeds, doers, hears_words, tellers
from jaxmarl_comm.trees import is_finite

MEASURES = (
    "message_entropy",
    "message_information",
    "message_information_with_key",
    "context_independence",
    "speaker_consistency",
    "instantaneous_coordination",
    "message_rms",
)
MAX_ROWS = 16  # of a table


def message_statistics(cfg: Config, env: Env, episodes: Episodes) -> dict[str, np.ndarray]:
    """Each of MEASURES -> `[seeds]`, from episodes `[seeds, E, ...]`; empty if nothing is sent, NaN if undefined.

    All are means over the agents that know a private goal, or over all speakers in a task without goals:

    - message_entropy: of words and few distinct messages; of real-valued ones it would be that of our clusters.
    - message_information: I(message; private goal).
    - message_information_with_key: I(message; private goal | shared key), to those who know it; where there is a key,
      message_information is what it tells those who do not.
    - context_independence: how far each goal has a word of its own; not of real-valued messages, either.
    - speaker_consistency: I(symbol; what the speaker does at the same step) (Jaques et al. 2019).
    - instantaneous_coordination: I(symbol; what another of the team does at the next step), the mean over pairs (Jaques
      et al. 2019). Both may look at the same world: this does not show that the message was heard.
    - message_rms: root mean square of a message's numbers, to compare noise with.

    What an agent does are all factors of its action but words; its word, in tasks of words alone. A seed whose messages
    or actions are not finite has NaN throughout.
    """
    speakers = informed_speakers(cfg, env, episodes)
    if not speakers:
        return {name: np.zeros(0) for name in MEASURES}
    rows = [
        _of_seed(cfg, env, jax.tree.map(lambda x, k=k: x[k], episodes), speakers) for k in range(len(episodes.returns))
    ]
    return {name: np.array([row[name] for row in rows]) for name in MEASURES}


def _of_seed(cfg: Config, env: Env, episodes: Episodes, speakers: list[int]) -> dict[str, float]:
    said = {n: episodes.messages[:, n] for n in speakers}
    if not is_finite((said, episodes.actions, episodes.next_actions)):
        return dict.fromkeys(MEASURES, np.nan)
    symbols = {n: metrics.symbols(messages) for n, messages in said.items()}
    real_valued = any(metrics.distinct_symbols(messages) is None for messages in said.values())
    words = {} if real_valued else symbols
    goals = {n: episodes.goals[:, n] for n in speakers if (episodes.goals[:, n] >= 0).all()}
    speech_is_the_deed = hears_words(cfg) and not any(space.deeds for space in env.action_spaces.values())
    now = {} if speech_is_the_deed else _done(env, episodes.actions)
    then, followed = _done(env, episodes.next_actions), episodes.followed
    pairs = [(a, b) for a in speakers for b in then if a != b and env.teams[a] == env.teams[b]]
    return {
        "message_entropy": _mean(metrics.entropy(spoken) for spoken in words.values()),
        "message_information": _mean(
            metrics.message_information(said[n], goal, env.num_goals) for n, goal in goals.items()
        ),
        "message_information_with_key": _mean(
            metrics.information_given(said[n], goal, env.num_goals, episodes.shared_key)
            for n, goal in goals.items()
            if (episodes.shared_key >= 0).all()
        ),
        "context_independence": _mean(
            metrics.context_independence(spoken, goals[n]) for n, spoken in words.items() if n in goals
        ),
        "speaker_consistency": _mean(metrics.mutual_information(symbols[n], now[n]) for n in speakers if n in now),
        "instantaneous_coordination": _mean(
            metrics.mutual_information(symbols[a][followed], then[b][followed]) for a, b in pairs
        ),
        "message_rms": float(np.sqrt(_mean((_numbers(cfg, messages) ** 2).mean() for messages in said.values()))),
    }


def _numbers(cfg: Config, messages: np.ndarray) -> np.ndarray:
    """Of messages `[E, M]` those numbers that are ever sent, where there is room for more."""
    sent = messages.any(axis=0)
    return messages[:, sent] if cfg.comm.max_message_dim is not None and sent.any() else messages


def _mean(values: Any) -> float:
    """NaN of nothing."""
    listed = list(values)
    return float(np.mean(listed)) if listed else np.nan


def _done(env: Env, actions: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    """Of each agent that does something, by canonical position, `[E]` symbols of what it did."""
    done = {}
    for n in doers(env):
        group, position = env.seat(n)
        own: Any = actions[group][:, position]
        parts: Any = env.action_spaces[group].split(own)
        did = [parts[factor] for factor in deeds(env, group)]
        if env.continuous_actions:
            done[n] = metrics.symbols(np.concatenate(did, axis=-1))
        else:
            done[n] = np.ravel_multi_index(did, [dict(env.action_spaces[group].factors)[f] for f in deeds(env, group)])
    return done


def speakers_of(cfg: Config, env: Env) -> list[int]:
    """Canonical positions of the agents that can send messages."""
    silent = cfg.silent_teams(env)
    could = tellers(env) if hears_words(cfg) else range(env.num_agents if cfg.comm.rounds else 0)
    return [n for n in could if env.teams[n] not in silent]


def informed_speakers(cfg: Config, env: Env, episodes: Episodes) -> list[int]:
    """Those of the speakers who know a private goal; all speakers if nobody knows one."""
    speakers = speakers_of(cfg, env)
    return [n for n in speakers if (episodes.goals[..., n] >= 0).all()] or speakers


def traffic(cfg: Config, env: Env, episodes: Episodes) -> tuple[np.ndarray, np.ndarray]:
    """(messages, bits) `[seeds, E]` per episode, means over the agents that can send; empty if nobody can."""
    speakers = speakers_of(cfg, env)
    if not speakers:
        return np.zeros(0), np.zeros(0)
    messages = episodes.num_sent[..., speakers].mean(axis=-1)
    return messages, messages * episodes.bits_per_message[:, None]


def bits_per_message(cfg: Config, env: Env, numbers: Numbers) -> jax.Array | float:
    """Of one message over the channel of these numbers, or of one of the task's words."""
    if not hears_words(cfg):
        return cfg.channel(env).bits_per_message(numbers)
    vocabulary = max(dict(space.factors).get(WORD, 0) for space in env.action_spaces.values())
    if env.continuous_actions and cfg.comm.speech == "reinforced":  # a "word" is a vector of numbers
        return BITS_OF_A_NUMBER * vocabulary
    return log2(vocabulary)


def message_tables(cfg: Config, env: Env, episodes: Episodes) -> dict[str, dict[str, Any]]:
    """Of the first seed, for each agent that tells a private goal: how often each symbol met each goal.

    agent id -> `symbols` (at most 16, the most frequent first; words by their index; the same message has the same
    symbol, whoever sends it), `counts` (a row per symbol, a column per goal), `messages` (a row per symbol: the mean of
    the messages that it stands for), `n` (number of messages) and `information` (I(message; goal) in nats). Empty if
    the messages are not finite.
    """
    first: Episodes = jax.tree.map(lambda x: x[0], episodes)
    knowing = [n for n in speakers_of(cfg, env) if (first.goals[:, n] >= 0).all()]
    if not knowing or not is_finite(first.messages[:, knowing]):
        return {}
    symbols = metrics.symbols(np.concatenate([first.messages[:, n] for n in knowing]))
    spoken = dict(zip(knowing, np.split(symbols, len(knowing)), strict=True))
    return {env.agents[n]: _table(first.messages[:, n], spoken[n], first.goals[:, n], env.num_goals) for n in knowing}


def _table(messages: np.ndarray, spoken: np.ndarray, goals: np.ndarray, num_goals: int) -> dict[str, Any]:
    found, counts = np.unique(spoken, return_counts=True)
    rows = found[np.argsort(-counts, kind="stable")][:MAX_ROWS]
    return {
        "symbols": rows.tolist(),
        "counts": [np.bincount(goals[spoken == symbol], minlength=num_goals).tolist() for symbol in rows],
        "messages": [messages[spoken == symbol].mean(axis=0, dtype=float).round(3).tolist() for symbol in rows],
        "n": len(messages),
        "information": metrics.message_information(messages, goals, num_goals),
    }
