"""Playing trained policies in what a task was made after, such as mpe2: the judge of everything measured here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm, View
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.trees import unstack

Array = jax.Array

COPIES = 100  # environments played side by side, so that the policy sees batches


PlayStep = Callable[[Array, View], tuple[dict[str, Array], Any]]
"""(key, view of E environments) -> (group -> actions `[E, n, ...]`, memory for the next step)."""


def play_reference(cfg: Config, env: Env, algorithm: Algorithm, teams: Any) -> np.ndarray:
    """`[seeds, episodes, T]` greedy returns in the task's reference implementation; no episodes if it has none."""
    each = unstack(teams)
    if not cfg.eval_episodes_reference or env.reference is None:
        return np.zeros((len(each), 0, len(env.team_names)))

    @jax.jit
    def act(team: Any, key: Array, view: View) -> tuple[dict[str, Array], Any]:
        done = algorithm.act(team, key, view, jnp.array(True), unchanged)
        return done.actions, done.memory

    def returns_of(team: Any) -> np.ndarray:
        return returns_in_reference(env, partial(act, team), algorithm.memory, cfg.eval_episodes_reference, cfg.seed)

    return np.stack([returns_of(team) for team in each])


def returns_in_reference(
    env: Env, act: PlayStep, memory: Callable[[int], Any], num_episodes: int, seed: int
) -> np.ndarray:
    """`[num_episodes, T]` returns (undiscounted, mean over a team's agents) in the reference of that task.

    memory: number of environments -> the team's memory at the start of an episode. Episode k starts from the
    reference's own seed `seed + k`.
    """
    copies = [env.make_reference() for _ in range(min(COPIES, num_episodes))]
    key, returns = jax.random.key(seed), []
    for first in range(0, num_episodes, len(copies)):
        key, block_key = jax.random.split(key)
        returns.append(_play_block(env, copies, act, memory(len(copies)), block_key, seed + first))
    return np.concatenate(returns)[:num_episodes]


def _play_block(env: Env, copies: list[Any], act: PlayStep, memory: Any, key: Array, seed: int) -> np.ndarray:
    """`[E, T]` returns of one episode in each copy."""
    observations = [copy.reset(seed=seed + k)[0] for k, copy in enumerate(copies)]
    returns = np.zeros((len(copies), env.num_agents))
    for step_key in jax.random.split(key, env.max_cycles):
        positions: Any = np.stack([env.reference_positions(copy) for copy in copies])
        view = View(group_observations(env, observations), positions, memory)
        device_actions, memory = act(step_key, view)
        actions = jax.device_get(device_actions)
        for k, copy in enumerate(copies):
            if copy.agents:  # unless the task has ended it early
                observations[k], rewards, *_ = copy.step(agent_actions(env, actions, k))
                returns[k] += [rewards[agent] for agent in env.agents]
    return np.stack([returns[:, where].mean(axis=-1) for where in env.team_members], axis=-1)


def group_observations(env: Env, observations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """E dictionaries agent -> `[obs_dim]`, as PettingZoo's environments give them -> group -> `[E, n, obs_dim]`."""
    return {
        group: np.asarray([[seen[env.agents[agent]] for agent in where] for seen in observations], np.float32)
        for group, where in env.groups.items()
    }


def agent_actions(env: Env, actions: Mapping[str, np.ndarray], copy: int) -> dict[str, Any]:
    """group -> `[E, n, ...]` -> agent -> action of that copy, as PettingZoo has it: int, or float32 `[dim]`."""
    chosen = {}
    for group, where in env.groups.items():
        for position, agent in enumerate(where):
            action = actions[group][copy, position]
            chosen[env.agents[agent]] = np.asarray(action, np.float32) if env.continuous_actions else int(action)
    return chosen
