"""Playing whole episodes in a batch, with messages as they are, muted or shuffled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Act
from jaxmarl_comm.comm.channel import Intervention, unchanged
from jaxmarl_comm.envs.batch import Batch, where_each

Array = jax.Array

# What is done to messages before anyone hears them.
CLEAR, MUTED, SHUFFLED = 0, 1, 2


class Episodes(NamedTuple):
    """E finished episodes of N agents.

    returns: `[E]`, undiscounted, mean over agents. success, distance: `[E]`, at the last step; NaN if undefined.
    messages: `[E, N, M]`, each agent's at one random step of the episode, as sent (before muting or shuffling).
    goals: `[E, N]`, the private goal that each agent knows, -1 for none.
    """

    returns: Any
    success: Any
    distance: Any
    messages: Any
    goals: Any


Actor = Callable[[Array, Any, dict[str, Array], Intervention], Act]
"""(key, state of the batch, obs, intervention) -> Act. Learned teams look at obs only, scripted ones at the state."""


def play(batch: Batch, actor: Actor, key: Array, *, treatment: Array, hears_words: bool) -> Episodes:
    """One episode in each environment of the batch. The same key gives the same starts. The key is consumed.

    treatment: `[]` CLEAR, MUTED or SHUFFLED. hears_words: whether the task's own words are the messages, instead of
    what the actor sends over the channel.
    """
    reset_key, when_key, play_key = jax.random.split(key, 3)
    start, first = batch.reset(reset_key)
    num_steps = batch.env.max_cycles
    noted_step = jax.random.randint(when_key, (batch.num_envs,), 0, num_steps)

    def step(carry: tuple[Any, dict[str, Array], Array, Array], now: tuple[Array, Array]) -> tuple[Any, Array]:
        state, obs, noted, going = carry
        t, step_key = now
        act_key, env_key, shuffle_key = jax.random.split(step_key, 3)
        intervene = intervention(treatment, shuffle_key)
        act = actor(act_key, state, obs, intervene)
        after, ts = batch.step(env_key, state, act.actions)
        sent, obs = act.messages, ts.obs
        if hears_words:
            sent = batch.words(after)
            after = batch.with_words(after, intervene(sent))
            obs = batch.observe(after)
        if batch.env.ends_early:
            after = where_each(going, after, state)
        noted = jnp.where((noted_step == t)[:, None, None], sent, noted)
        return (after, obs, noted, going & ~ts.terminated), ts.reward.mean(axis=-1) * going

    def first_message() -> Array:
        return batch.words(start) if hears_words else actor(key, start, first.obs, unchanged).messages

    nothing = jnp.zeros(jax.eval_shape(first_message).shape)
    everywhere = jnp.ones(batch.num_envs, bool)
    steps = (jnp.arange(num_steps), jax.random.split(play_key, num_steps))
    (last, _, messages, _), rewards = jax.lax.scan(step, (start, first.obs, nothing, everywhere), steps)
    return Episodes(rewards.sum(axis=0), **batch.outcome(last), messages=messages, goals=batch.goals(start))


def intervention(treatment: Array, key: Array) -> Intervention:
    """What is done to a batch of messages: nothing, silence (zeros), or those of another, random environment."""

    def treat(messages: Array) -> Array:
        def shuffled() -> Array:
            return messages[jax.random.permutation(key, messages.shape[0])]

        return jax.lax.switch(treatment, [lambda: messages, lambda: jnp.zeros_like(messages), shuffled])

    return treat
