"""The rungs of one task: plans for many episodes, and their means over all starts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import WorldState
from jaxmarl_comm.ladders.estimate import Mean, features, features_of_many, mean_over_starts
from jaxmarl_comm.ladders.moves import Performed, as_vectors, bettered, performed, tracked
from jaxmarl_comm.ladders.places import best_found
from jaxmarl_comm.ladders.play import draw, pushes
from jaxmarl_comm.ladders.told import best_plan, with_every_goal

Array = jax.Array

AT_ONCE = 250  # episodes
AFTER_A_WORD = 1  # steps
CLIMB_STEPS = 2_000  # where returns are concave; the bound is then within 0.06 of a plan's return, mostly 0.001
REFINING_STEPS = 500  # of each of several starts, where they are not


class Rungs(NamedTuple):
    """What teams return, and how often the last succeed: see `Ladder`."""

    silent: Mean | None
    oracle: Mean
    attainable: Mean
    attainable_success: Mean | None = None


class Planned(NamedTuple):
    """Returns `[E]` of plans for some episodes, means over goals. silent: None where there are none to tell.

    attainable: success, too. features: `[E, F]`, of the episodes' starts.
    """

    silent: Array | None
    oracle: Array
    attainable: Performed
    features: Array


def rungs(env: MPETask, seed: int, num_episodes: int, tell: Callable[[int], None]) -> Rungs:
    """Plan so many episodes. tell: is given how many are done, now and then."""
    plan = jax.jit(partial(planned, env), static_argnums=1)
    many_key, key = jax.random.split(jax.random.key(seed))
    parts = []
    for done in range(0, num_episodes, AT_ONCE):
        tell(done)
        key, now = jax.random.split(key)
        parts.append(jax.device_get(plan(now, min(AT_ONCE, num_episodes - done))))
    found = jax.tree.map(lambda *x: np.concatenate(x).astype(float), *parts)
    average = partial(mean_over_starts, features=found.features, of_many=features_of_many(env, many_key))
    silent = None if found.silent is None else average(found.silent)
    return Rungs(silent, average(found.oracle), *map(average, found.attainable))


def planned(env: MPETask, key: Array, num_envs: int) -> Planned:
    """The key is consumed."""
    starts = draw(env, key, num_envs)
    if not hasattr(env, "targets"):
        best = best_found(env, starts, REFINING_STEPS)
        attained = attainable(env, starts, pushes(env, best.plan))
        return Planned(None, best.value, attained, features(env, starts))
    blind = AFTER_A_WORD if env.num_goals else 0
    best = best_plan(env, starts, blind, CLIMB_STEPS)
    silent = best_plan(env, starts, env.max_cycles, CLIMB_STEPS).bound if env.num_goals else None
    pushed, every = pushes(env, best.plan.all_steps()), with_every_goal(env, starts)
    attained = attainable(env, every, pushed, blind, max(env.num_goals, 1))
    return Planned(silent, best.bound, attained, features(env, starts))


def attainable(env: MPETask, starts: WorldState, pushed: Array, num_blind: int = 0, num_goals: int = 1) -> Performed:
    """`[E]`: what single actions after the plan `[T, A, 2, K * E]` reach in the environment; means over goals."""
    if env.continuous_actions:
        moves = as_vectors(pushed)
    else:
        moves = tracked(env, starts, pushed)
        first_goal = moves[:num_blind, :, : moves.shape[-1] // num_goals]
        moves = moves.at[:num_blind].set(jnp.tile(first_goal, num_goals))
        moves = bettered(env, starts, moves, num_blind, num_goals)
    of_goals = performed(env, starts, moves)
    return jax.tree.map(lambda x: jnp.mean(x.reshape(num_goals, -1), axis=0), of_goals)
