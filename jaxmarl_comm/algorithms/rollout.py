"""Letting a team act in a batch of environments and recording what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import State
from jaxmarl_comm.envs.batch import Batch

Array = jax.Array
ActFn = Callable[[Array, dict[str, Array]], tuple[dict[str, Array], Array]]
ValueFn = Callable[[dict[str, Array]], Array]


class Trajectory(NamedTuple):
    """What T steps of E environments with N agents leave behind.

    obs, actions: group -> `[T, E, n, ...]`. log_probs, rewards: `[T, E, N]`. terminated, truncated: `[T, E]` bool.
    final_values: `[T, E, N]`, the value of the true last observation where an episode was truncated, else 0.
    returns: `[T, E]`, the finished episode's return (mean over agents, as the task pays it), else 0.
    """

    obs: dict[str, Array]
    actions: dict[str, Array]
    log_probs: Array
    rewards: Array
    terminated: Array
    truncated: Array
    final_values: Array
    returns: Array


class RolloutState(NamedTuple):
    """Where the batch of environments stands.

    env: state of the batch. obs: group -> `[E, n, obs_dim]`. running_return: `[E]`, of the episodes under way.
    """

    env: State
    obs: dict[str, Array]
    running_return: Array


def start(batch: Batch, key: Array) -> RolloutState:
    """Fresh episodes. The key is consumed."""
    env_state, ts = batch.reset(key)
    return RolloutState(env_state, ts.obs, jnp.zeros(batch.num_envs))


def rollout_axes(batch: Batch) -> RolloutState:
    """`vmap` axes over seeds: all but the clock."""
    return RolloutState(env=batch.env.state_axes, obs=0, running_return=0)  # type: ignore[arg-type]


def rollout(
    batch: Batch, act: ActFn, value: ValueFn, key: Array, start_state: RolloutState, rollout_len: int
) -> tuple[RolloutState, Trajectory]:
    """`rollout_len` steps. act: (key, obs) -> (actions, log_probs `[E, N]`); value: obs -> `[E, N]`. Key consumed."""

    def step(state: RolloutState, step_key: Array) -> tuple[RolloutState, Trajectory]:
        act_key, env_key, restart_key = jax.random.split(step_key, 3)
        actions, log_probs = act(act_key, state.obs)
        env_state, ts = batch.step(env_key, state.env, actions)
        # A real branch in lockstep, where no episode but all of them are truncated.
        final_values = jax.lax.cond(ts.truncated.any(), value, lambda _: jnp.zeros_like(log_probs), ts.obs)
        total = state.running_return + ts.reward.mean(axis=-1)
        terminated, truncated = (jnp.broadcast_to(flag, total.shape) for flag in (ts.terminated, ts.truncated))
        over = terminated | truncated
        after, obs = batch.restart_if_over(restart_key, env_state, ts)
        transition = Trajectory(
            state.obs, actions, log_probs, ts.reward, terminated, truncated, final_values, total * over
        )
        return RolloutState(after, obs, total * ~over), transition

    return jax.lax.scan(step, start_state, jax.random.split(key, rollout_len))
