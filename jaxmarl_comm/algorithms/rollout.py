"""Letting a team act in a batch of environments and recording what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import State
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.trees import where_each

Array = jax.Array


class Moved(NamedTuple):
    """What a team did at a step, to be recorded.

    actions: group -> `[E, n, ...]`. log_probs: `[E, N]`, or None where nobody asks. memory: for the next step.
    circumstances: pytree of `[E, ...]`, what the update must replay.
    """

    actions: dict[str, Array]
    log_probs: Array | None
    memory: Any
    circumstances: Any


class Trajectory(NamedTuple):
    """What T steps of E environments with N agents leave behind.

    obs, actions: group -> `[T, E, n, ...]`. log_probs, rewards: `[T, E, N]`. terminated, truncated: `[T, E]` bool.
    circumstances: pytree of `[T, E, ...]`, what the update must replay.
    at_end: pytree of `[T, E, ...]`, what is to be known of the true end where an episode was truncated, else 0.
    returns: `[T, E, teams]`, the finished episode's return (mean over a team's agents, as the task pays it), else 0.
    """

    obs: dict[str, Array]
    actions: dict[str, Array]
    log_probs: Array | None
    rewards: Array
    terminated: Array
    truncated: Array
    at_end: Any
    returns: Array
    circumstances: Any


class RolloutState(NamedTuple):
    """Where the batch of environments stands.

    env: state of the batch. obs: group -> `[E, n, obs_dim]`. running_return: `[E, teams]`, of the episodes under way.
    memory: the team's, a pytree of `[E, ...]`.
    """

    env: State
    obs: dict[str, Array]
    running_return: Array
    memory: Any


ActFn = Callable[[Array, RolloutState], Moved]
EndFn = Callable[[Array, RolloutState], Any]


def start(batch: Batch, memory: Any, key: Array) -> RolloutState:
    """Fresh episodes, with the team's memory at their start. The key is consumed."""
    env_state, ts = batch.reset(key)
    return RolloutState(env_state, ts.obs, jnp.zeros((batch.num_envs, len(batch.env.team_names))), memory)


def rollout_axes(batch: Batch) -> RolloutState:
    """`vmap` axes over seeds: all but the clock."""
    return RolloutState(env=batch.env.state_axes, obs=0, running_return=0, memory=0)  # type: ignore[arg-type]


def rollout(
    batch: Batch, act: ActFn, at_end: EndFn, key: Array, start_state: RolloutState, fresh: Any, rollout_len: int
) -> tuple[RolloutState, Trajectory]:
    """`rollout_len` steps. fresh: the team's memory at the start of an episode. The key is consumed.

    at_end: (key, the state at the true end of an episode) -> a pytree of `[E, ...]`, what is to be known of it.
    """

    def step(state: RolloutState, step_key: Array) -> tuple[RolloutState, Trajectory]:
        act_key, env_key, restart_key, end_key = jax.random.split(step_key, 4)
        moved = act(act_key, state)
        if moved.log_probs is not None:
            chex.assert_shape(moved.log_probs, (batch.num_envs, batch.env.num_agents))
        chex.assert_trees_all_equal_shapes_and_dtypes(moved.memory, fresh)
        env_state, ts = batch.step(env_key, state.env, moved.actions)
        total = state.running_return + batch.env.team_means(ts.reward)
        last = RolloutState(env_state, ts.obs, total, moved.memory)
        # A real branch in lockstep, where no episode but all of them are truncated.
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(at_end, end_key, last))
        end = jax.lax.cond(ts.truncated.any(), at_end, lambda *_: nothing, end_key, last)
        terminated, truncated = (jnp.broadcast_to(flag, (batch.num_envs,)) for flag in (ts.terminated, ts.truncated))
        end = where_each(truncated, end, nothing)
        over = terminated | truncated
        after, obs = batch.restart_if_over(restart_key, env_state, ts)
        finished, unfinished = total * over[:, None], total * ~over[:, None]
        transition = Trajectory(
            state.obs, moved.actions, moved.log_probs, ts.reward, terminated, truncated, end, finished,
            moved.circumstances,
        )  # fmt: skip
        return RolloutState(after, obs, unfinished, where_each(over, fresh, moved.memory)), transition

    return jax.lax.scan(step, start_state, jax.random.split(key, rollout_len))


def finished_mean(traj: Trajectory) -> Array:
    """`[teams]`: mean return of the episodes that ended in this rollout, NaN if none did."""
    ended = (traj.terminated | traj.truncated).sum()
    return jnp.where(ended > 0, traj.returns.sum(axis=(0, 1)) / jnp.maximum(ended, 1), jnp.nan)
