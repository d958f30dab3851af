"""Sides of simple_crypto, who speak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.mpe.simple_crypto import ALICE, NUM_WORDS, SimpleCrypto
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, one_hot
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.scripted.moves import Array, Moves, actions_of

SILENT = -1  # as a word, for those who can be; with discrete actions the first one is said
Words = Callable[[WorldState], Array]
"""State of one environment -> `[A]`, the word that each agent says."""


def one_time_pad(env: Env, team: int) -> Moves | None:
    """Alice tells the bit shifted by the key, Bob shifts it back: Eve hears nothing but chance (Shannon 1949).

    Bob goes by what he heard, so he cannot know before the second step.
    """
    if not isinstance(env, SimpleCrypto) or team != GOOD:
        return None

    def words(state: WorldState) -> Array:
        (bit, key), heard = state.choice, state.say[ALICE]
        bits = env.num_choices[0]
        decoded = jnp.where(jnp.any(heard != 0), (jnp.argmax(heard) - key) % bits, SILENT)
        return jnp.stack([jnp.full_like(bit, SILENT), decoded, (bit + key) % bits])

    return spoken(env, team, words)


def told_eve(env: Env, team: int) -> Moves | None:
    """An Eve that knows the bit and says it: no error, whatever the others do."""
    if not isinstance(env, SimpleCrypto) or team != ADVERSARY:
        return None
    return spoken(env, team, lambda state: jnp.broadcast_to(state.choice[0], env.num_agents))


def spoken(env: SimpleCrypto, team: int, words: Words) -> Moves:
    """The moves of those who say these words."""

    def moves(key: Array, state: Any, obs: dict[str, Array]) -> dict[str, Array]:
        said = jax.vmap(words, in_axes=(env.state_axes,))(state)
        loud = one_hot(said, NUM_WORDS) if env.continuous_actions else jnp.maximum(said, 0)
        return actions_of(env, team, obs, {"say": loud})

    return moves
