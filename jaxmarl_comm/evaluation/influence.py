"""Does anyone listen? How far an agent's action distribution moves when what it hears is replaced, all else equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Act, Algorithm
from jaxmarl_comm.comm.channel import Intervention, unchanged
from jaxmarl_comm.comm.metrics import causal_influence
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.distance import Distance, distances
from jaxmarl_comm.evaluation.episodes import (
    CLEAR,
    MUTED,
    SHUFFLED,
    deeds,
    doers,
    hears_words,
    intervention,
    team_actor,
)
from jaxmarl_comm.trees import unstack, where_each

Array = jax.Array

NUM_MESSAGES = 16  # K, other messages that a listener might have heard at a step


class Influence(NamedTuple):
    """`[seeds]` each: means over listeners, the steps of greedy episodes and environments; NaN of a diverged seed.

    Listeners are the agents that can do more than speak; where nobody can, those that speak.

    listening_*_muted: how far pi(a | nothing heard) is from pi(a | heard). listening_*_shuffled: how far pi(a | what
    was sent in another environment) is, the mean over K others. As total variation (tv), Jensen-Shannon divergence (js)
    and the share of greedy actions that are changed: see `Distance`. causal_influence: `causal_influence` of messages
    drawn from the other environments at the same step, all that one hears at once, on all that an agent does (on its
    word, in a task of words alone); at most ln K. None if actions are continuous or the policy does not choose them.
    """

    listening_tv_muted: Any
    listening_tv_shuffled: Any
    listening_js_muted: Any
    listening_js_shuffled: Any
    listening_changed_muted: Any
    listening_changed_shuffled: Any
    causal_influence: Any


def influence_meter(cfg: Config, batch: Batch, algorithm: Algorithm, key: Array) -> Callable[[Any], Influence]:
    """A function of the teams of all seeds, in one greedy episode of each environment; compiled when it is first used.

    The key is consumed.
    """
    of_seed = jax.jit(lambda team: _influence(cfg, batch, algorithm, team, key))

    def measure(teams: Any) -> Influence:
        return jax.tree.map(lambda *x: np.array(x), *map(of_seed, unstack(teams)))

    return measure


def _influence(cfg: Config, batch: Batch, algorithm: Algorithm, team: Any, key: Array) -> Influence:
    reset_key, play_key = jax.random.split(key)
    start, first = batch.reset(reset_key)
    actor = team_actor(batch, algorithm, team, jnp.array(True))
    listeners = jnp.array(doers(batch.env), int)
    chosen = {group: deeds(batch.env, group) for group in batch.env.groups}

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        if not hears_words(cfg):
            return actor.act(key, state, obs, memory, intervene)
        state = batch.with_words(state, intervene(batch.words(state)))
        return actor.act(key, state, batch.observe(state), memory, unchanged)

    def step(carry: Any, step_key: Array) -> tuple[Any, tuple[Influence, Array]]:
        state, obs, memory, going = carry
        act_key, env_key, shuffle_key, draw_key = jax.random.split(step_key, 4)

        def under(case: tuple[Array, Array]) -> tuple[Any, dict[str, Array]]:
            """Distributions, and the probabilities of each deed, had this been heard: the same chance in all cases."""
            given = act(act_key, state, obs, memory, intervention(*case, batch.num_envs)).distributions
            discrete = {} if batch.env.continuous_actions else given
            return {g: d.factors for g, d in given.items()}, {
                g: d.joint_probs(chosen[g]) for g, d in discrete.items() if chosen[g] and {*chosen[g]} <= {*d.factors}
            }

        treatments = jnp.array([CLEAR, MUTED] + [SHUFFLED] * NUM_MESSAGES)
        # One case after the other: the same program each time, so that what makes no difference makes exactly none.
        factors, probs = jax.lax.map(under, (treatments, jax.random.split(shuffle_key, len(treatments))))
        shapes = {g: (len(treatments), batch.num_envs, len(where)) for g, where in batch.env.groups.items()}
        of_group = {g: distances(f, shapes[g], batch.env.continuous_actions, draw_key) for g, f in factors.items()}
        causal = [causal_influence(p[2:]) for p in probs.values()]
        measured = Influence(
            **_muted_and_shuffled(batch.env, of_group, listeners),
            causal_influence=jnp.concatenate(causal, axis=-1).mean(axis=-1) if causal else None,
        )
        done = actor.act(act_key, state, obs, memory, unchanged)
        after, ts = batch.step(env_key, state, done.actions)
        if batch.env.ends_early:
            after = where_each(going, after, state)
        return (after, ts.obs, done.memory, going & ~(ts.terminated | ts.truncated)), (measured, going)

    begin = (start, first.obs, actor.memory(batch.num_envs), jnp.ones(batch.num_envs, bool))
    _, (measured, going) = jax.lax.scan(step, begin, jax.random.split(play_key, batch.env.max_cycles))
    return jax.tree.map(lambda x: jnp.sum(x * going) / jnp.sum(going), measured)


def _muted_and_shuffled(env: Env, of_group: dict[str, Distance], listeners: Array) -> dict[str, Array]:
    """Fields of Influence, `[E]` each: means over listeners, from group -> `[C, E, n]`."""
    found = {}
    for measure in Distance._fields:
        joined = env.join({group: getattr(distance, measure) for group, distance in of_group.items()})[..., listeners]
        found[f"listening_{measure}_muted"] = joined[1].mean(axis=-1)
        found[f"listening_{measure}_shuffled"] = joined[2:].mean(axis=(0, -1))
    return found
