"""Does anyone listen? How far an agent's action distribution moves when what it hears is replaced, all else equal."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Act, Algorithm
from jaxmarl_comm.comm.channel import Intervention, unchanged
from jaxmarl_comm.comm.metrics import causal_influence
from jaxmarl_comm.config import Config
from jaxmarl_comm.distributions import ActionDistribution
from jaxmarl_comm.envs.batch import Batch, where_each
from jaxmarl_comm.evaluation.episodes import (
    CLEAR,
    MUTED,
    SHUFFLED,
    agents_with,
    hears_words,
    intervention,
    team_actor,
)

Array = jax.Array

NUM_MESSAGES = 16  # K, other messages that a listener might have heard at a step


class Influence(NamedTuple):
    """In nats, `[seeds]` each: means over listeners, the steps of greedy episodes and environments.

    Listeners are the agents that can move; where nobody moves, those that can speak.

    listening_muted: KL(pi(a | heard) || pi(a | nothing heard)). listening_shuffled: KL(pi(a | heard) || pi(a | what was
    sent in another environment)), the mean over K others. Positive listening, as in Eccles et al. 2019; no estimate of
    an information, and without a bound. causal: `causal_influence` of messages drawn from the other environments at the
    same step, all that one hears at once, on the move (or word); at most ln K. None if actions are continuous or the
    policy does not choose them.
    """

    listening_muted: Any
    listening_shuffled: Any
    causal: Any


def measure_influence(cfg: Config, batch: Batch, algorithm: Algorithm, teams: Any, key: Array) -> Influence:
    """Of the teams of all seeds, in one greedy episode of each environment. The key is consumed."""
    of_seed = jax.jit(lambda team: _influence(cfg, batch, algorithm, team, key))
    seeds = range(jax.tree.leaves(teams)[0].shape[0])
    found = [of_seed(jax.tree.map(lambda x, k=k: x[k], teams)) for k in seeds]
    return jax.tree.map(lambda *x: np.array(x), *found)


def _influence(cfg: Config, batch: Batch, algorithm: Algorithm, team: Any, key: Array) -> Influence:
    reset_key, play_key = jax.random.split(key)
    start, first = batch.reset(reset_key)
    actor = team_actor(batch, algorithm, team, jnp.array(True))

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        if not hears_words(cfg):
            return actor.act(key, state, obs, memory, intervene)
        state = batch.with_words(state, intervene(batch.words(state)))
        return actor.act(key, state, batch.observe(state), memory, unchanged)

    def step(carry: Any, step_key: Array) -> tuple[Any, tuple[Influence, Array]]:
        state, obs, memory, going = carry
        act_key, env_key, shuffle_key = jax.random.split(step_key, 3)

        def under(case: tuple[Array, Array]) -> Any:
            """The distributions' factors, had this been heard: the same chance in all cases."""
            intervene = intervention(*case)
            given = act(act_key, state, obs, memory, intervene).distributions
            return {g: d.factors for g, d in given.items()}

        treatments = jnp.array([CLEAR, MUTED] + [SHUFFLED] * NUM_MESSAGES)
        keys = jax.random.split(shuffle_key, len(treatments))
        measured = _compare(batch, jax.lax.map(under, (treatments, keys)))
        done = actor.act(act_key, state, obs, memory, unchanged)
        after, ts = batch.step(env_key, state, done.actions)
        if batch.env.ends_early:
            after = where_each(going, after, state)
        return (after, ts.obs, done.memory, going & ~ts.terminated), (measured, going)

    begin = (start, first.obs, actor.memory(batch.num_envs), jnp.ones(batch.num_envs, bool))
    _, (measured, going) = jax.lax.scan(step, begin, jax.random.split(play_key, batch.env.max_cycles))
    return jax.tree.map(lambda x: jnp.sum(x * going) / jnp.sum(going), measured)


def _compare(batch: Batch, factors: dict[str, dict[str, Any]]) -> Influence:
    """`[E]` each, from the distributions' factors `[2 + K, E, n]`: as it was, muted, and shuffled K times."""
    env, num_cases = batch.env, 2 + NUM_MESSAGES
    deed = "move" if agents_with(env, "move") else "say"
    listeners = jnp.array(agents_with(env, deed), int)
    kls, influences = {}, []
    for group, where in env.groups.items():
        given = ActionDistribution(factors[group], (num_cases, batch.num_envs, len(where)))
        clear = jax.tree.map(lambda x: jnp.broadcast_to(x[:1], x.shape), given.factors)
        kls[group] = ActionDistribution(clear, given.batch_shape).kl(given)
        if deed in given.factors and not env.continuous_actions:
            influences.append(causal_influence(given.probs()[deed][2:]))
    kl = env.join(kls)[..., listeners].mean(axis=-1)
    causal = jnp.concatenate(influences, axis=-1).mean(axis=-1) if influences else None
    return Influence(kl[1], kl[2:].mean(axis=0), causal)
