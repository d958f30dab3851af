"""Playing whole episodes in a batch, with messages as they are, muted or shuffled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Act, Algorithm
from jaxmarl_comm.comm.channel import Intervention, unchanged
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import WORD, ActionSpace, Env, TimeStep
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.trees import where_each

Array = jax.Array

# What is done to messages before anyone hears them.
CLEAR, MUTED, SHUFFLED = 0, 1, 2


class Stream(NamedTuple):
    """All that agents send in E episodes of T steps. messages: `[E, T, N, M]`. sent: `[E, T, N]` bool."""

    messages: Any
    sent: Any


class Sight(NamedTuple):
    """What is to be seen of E episodes of T steps.

    places: `[E, T + 1, B, 2]`, of the scene's bodies, at the start and after each step.
    destinations: `[E, N, 2]`, where each agent ought to be. steps: `[E]`, how many there were before the episode ended.
    """

    places: Any
    destinations: Any
    steps: Any


class Episodes(NamedTuple):
    """E finished episodes of N agents in T teams.

    returns: `[E, T]`, undiscounted, mean over each team's agents. success: `[E, T]`, each team's, and distance: `[E]`,
    at the last step; NaN if undefined.
    messages: `[E, N, M]`, each agent's at one random step of the episode, as sent (before muting or shuffling).
    actions, next_actions: group -> `[E, n, ...]`, at that step and at the one after it.
    followed: `[E]` bool, whether there was one after it; where there was none, next_actions means nothing.
    num_sent: `[E, N]`, messages that each agent sent in the episode: over the channel, or words.
    goals: `[E, N]`, the private goal that each agent knows, -1 for none.
    shared_key: `[E]`, what those who are meant to understand know beside a message, -1 for nothing.
    bits_per_message: `[]`, of a learned team; None of others.
    stream: every message, and sight: what is to be seen; None unless asked for.
    """

    returns: Any
    success: Any
    distance: Any
    messages: Any
    actions: Any
    next_actions: Any
    followed: Any
    num_sent: Any
    goals: Any
    shared_key: Any
    bits_per_message: Any = None
    stream: Any = None
    sight: Any = None


class Actor(NamedTuple):
    """Whoever plays; learned teams look at obs (and where agents are), scripted ones at the state.

    act: (key, state of the batch, obs, memory, intervention) -> Act. memory: number of environments -> the memory at
    the start of an episode.
    """

    act: Callable[[Array, Any, dict[str, Array], Any, Intervention], Act]
    memory: Callable[[int], Any]


def hears_words(cfg: Config) -> bool:
    """Whether the messages of this team are the task's own words, and not what goes over the channel."""
    return cfg.comm.speech != "none"


def tellers(env: Env) -> list[int]:
    """Canonical positions of the agents that can say a word."""
    return _where(env, lambda space: WORD in dict(space.factors))


def doers(env: Env) -> list[int]:
    """Canonical positions of the agents that can do more than say words; in a task of words alone, of all."""
    return _where(env, lambda space: bool(space.deeds)) or list(range(env.num_agents))


def deeds(env: Env, group: str) -> tuple[str, ...]:
    """The factors with which agents of this group do something, if any; in a task of words alone, the words."""
    anybody = any(space.deeds for space in env.action_spaces.values())
    return env.action_spaces[group].deeds if anybody else (WORD,)


def _where(env: Env, can: Callable[[ActionSpace], bool]) -> list[int]:
    return sorted(n for group, space in env.action_spaces.items() if can(space) for n in env.groups[group])


def team_actor(batch: Batch, algorithm: Algorithm, team: Any, greedy: Array) -> Actor:
    """A learned team."""

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        return algorithm.act(team, key, algorithm.view(batch, state, obs, memory), greedy, intervene)

    return Actor(act, algorithm.memory)


def starts(batch: Batch, key: Array) -> tuple[Any, TimeStep]:
    """In what states, and with what to be seen, the episodes begin that `play` plays with this key."""
    return batch.reset(jax.random.split(key, 4)[0])


def play(
    batch: Batch,
    actor: Actor,
    key: Array,
    *,
    treatment: Array,
    hears_words: bool,
    stream: bool = False,
    sight: bool = False,
) -> Episodes:
    """One episode in each environment of the batch. The same key gives the same starts. The key is consumed.

    treatment: `[]` CLEAR, MUTED or SHUFFLED. hears_words: whether the task's own words are the messages, instead of
    what the actor sends over the channel. stream: whether to keep every message. sight: whether to keep what is seen.
    """
    _, when_key, play_key, shuffle_key = jax.random.split(key, 4)
    # The same all along: one hears another's whole stream.
    intervene = intervention(treatment, shuffle_key, batch.num_envs)
    start, first = starts(batch, key)
    num_steps = batch.env.max_cycles
    noting = is_noted(when_key, num_steps, batch.num_envs)
    memory = actor.memory(batch.num_envs)
    says = jnp.zeros(batch.env.num_agents).at[jnp.array(tellers(batch.env), int)].set(1)

    def step(
        carry: Carry, now: tuple[Array, Array]
    ) -> tuple[Carry, tuple[Array, Stream | None, tuple[Array, Array] | None]]:
        drawn, step_key = now
        act_key, env_key = jax.random.split(step_key)
        act = actor.act(act_key, carry.state, carry.obs, carry.memory, intervene)
        after, ts = batch.step(env_key, carry.state, act.actions)
        sent, num_sent, obs = act.messages, act.sent.sum(axis=1), ts.obs
        said = carry.said
        if hears_words:
            sent, num_sent = batch.words(after), says
            said = where_each(carry.going, sent, carry.said)
            after = batch.with_words(after, intervene(sent))
            obs = batch.observe(after)
        if batch.env.ends_early:
            after = where_each(carry.going, after, carry.state)
        note = drawn & carry.going
        noted = noted_after(carry, note, sent, act.actions, num_sent)
        reward = batch.env.team_means(ts.reward) * carry.going[:, None]
        spoken = Stream(sent, (num_sent > 0) & carry.going[:, None]) if stream else None
        seen = (batch.places(after), carry.going) if sight else None
        going = carry.going & ~(ts.terminated | ts.truncated)
        return Carry(after, obs, act.memory, noted, note, said, going), (reward, spoken, seen)

    def first_note() -> Noted:
        act = actor.act(key, start, first.obs, memory, unchanged)
        sent = batch.words(start) if hears_words else act.messages
        return Noted(sent, act.actions, act.actions, jnp.ones(batch.num_envs, bool), act.sent.sum(axis=1))

    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(first_note))
    none, everyone = jnp.zeros(batch.num_envs, bool), jnp.ones(batch.num_envs, bool)
    begin = Carry(start, first.obs, memory, blank, none, batch.words(start), everyone)
    steps = (noting, jax.random.split(play_key, num_steps))
    last, (rewards, spoken, seen) = jax.lax.scan(step, begin, steps)
    return Episodes(
        rewards.sum(axis=0),
        **batch.outcome(batch.with_words(last.state, last.said) if hears_words else last.state),
        **last.noted._asdict(),
        goals=batch.goals(start),
        shared_key=batch.shared_key(start),
        stream=jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), spoken),
        sight=seen and sight_of(batch, start, *seen),
    )


def is_noted(key: Array, num_steps: int, num_envs: int) -> Array:
    """`[T, E]` bool: at which steps what was noted before gives way to what happens now.

    At the t-th step with probability 1 / t, so that each step is as likely to be the one that stays, however early an
    episode ends (Vitter 1985, algorithm R). The key is consumed.
    """
    number = jnp.arange(1, num_steps + 1)[:, None]
    return jax.random.uniform(key, (num_steps, num_envs)) * number < 1


def sight_of(batch: Batch, start: Any, places: Array, going: Array) -> Sight:
    """Of episodes that began so; places: `[T, E, B, 2]` after each step, going: `[T, E]` whether it was taken."""
    whole = jnp.concatenate([batch.places(start)[None], places])
    return Sight(jnp.swapaxes(whole, 0, 1), batch.destinations(start), going.sum(axis=0))


class Noted(NamedTuple):
    """What is kept of an episode: see Episodes."""

    messages: Any
    actions: Any
    next_actions: Any
    followed: Any
    num_sent: Any


class Carry(NamedTuple):
    """Where episodes stand. going: `[E]`, whether they have not ended. noted_before: `[E]`, whether the last step was.

    said: `[E, N, dim_c]`, the words of the last step before anything was done to them, by which success is judged.
    """

    state: Any
    obs: dict[str, Array]
    memory: Any
    noted: Noted
    noted_before: Array
    said: Array
    going: Array


def noted_after(carry: Carry, note: Array, sent: Array, actions: dict[str, Array], num_sent: Array) -> Noted:
    """What is kept after one more step, of the environments in which it is noted, `note` `[E]`, and of the others."""
    kept, follows = carry.noted, carry.noted_before & carry.going
    return Noted(
        where_each(note, sent, kept.messages),
        where_each(note, actions, kept.actions),
        where_each(follows, actions, kept.next_actions),
        (kept.followed | follows) & ~note,
        kept.num_sent + num_sent * carry.going[:, None],
    )


def intervention(treatment: Array, key: Array, num_envs: int) -> Intervention:
    """What is done to a batch of messages: nothing, silence (zeros), or those of another, random environment.

    The same key always gives an environment the messages of the same other one, never its own.
    """
    order = jax.random.permutation(key, num_envs)
    other = order.at[order].set(jnp.roll(order, 1))  # `[E]`, whose messages each environment hears when shuffled

    def treat(heard: Any) -> Any:
        return jax.lax.switch(
            treatment,
            [
                lambda: heard,
                lambda: jax.tree.map(jnp.zeros_like, heard),
                lambda: jax.tree.map(lambda x: x[other], heard),
            ],
        )

    return treat
