"""Who can hear whom: by the channel, or by what the task lets them observe of words."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.scene import AGENT
from jaxmarl_comm.evaluation.episodes import hears_words

Pairs = list[list[int]]
"""[listener, speaker], as positions of agents in canonical order."""


def hears(cfg: Config, env: Env) -> Pairs | None:
    """All who can reach one another; None where that depends on where they are."""
    if hears_words(cfg):
        return _pairs(word_links(env))
    channel = cfg.channel(env)
    return None if channel.needs_positions else _pairs(channel.static_links if cfg.comm.rounds else np.zeros((0, 0)))


def hears_at(cfg: Config, env: Env, places: np.ndarray) -> list[Pairs] | None:
    """The same of each step of an episode, in which bodies go `places` `[T + 1, B, 2]`; None where it always is so."""
    channel = cfg.channel(env)
    if hears_words(cfg) or not channel.needs_positions:
        return None
    bodies = {shape.label: b for b, shape in enumerate(env.scene) if shape.kind == AGENT}
    of_agents = places[:-1, [bodies[agent] for agent in env.agents]]
    return [_pairs(links) for links in np.asarray(channel.links_at(jnp.asarray(of_agents)))]


def word_links(env: Env) -> np.ndarray:
    """`[N, N]` bool: whether anything in what the row's agent observes is another if the column's says something else.

    Tried out, as it is the task that lets agents hear words.
    """
    batch = Batch(env, 1)

    @jax.jit
    def observed() -> list[dict[str, jax.Array]]:
        state, _ = batch.reset(jax.random.key(0))
        silence = jnp.zeros_like(batch.words(state))
        spoken = [silence, *(silence.at[0, n].set(1) for n in range(env.num_agents))]
        return [batch.observe(batch.with_words(state, words)) for words in spoken]

    in_silence, *when_spoken = observed()
    return np.stack([_moved(env, in_silence, seen) for seen in when_spoken], axis=1)


def _moved(env: Env, before: dict[str, jax.Array], after: dict[str, jax.Array]) -> np.ndarray:
    """`[N]` bool: whose observations differ."""
    found = np.zeros(env.num_agents, bool)
    for group, where in env.groups.items():
        found[list(where)] = (np.asarray(before[group]) != np.asarray(after[group])).any(axis=-1)[0]
    return found


def _pairs(links: np.ndarray) -> Pairs:
    return [[int(listener), int(speaker)] for listener, speaker in np.argwhere(links) if listener != speaker]
