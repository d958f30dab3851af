"""Playing trained policies in the real mpe2, the judge of everything measured here."""

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
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.trees import unstack

Array = jax.Array

COPIES = 100  # mpe2 environments played side by side, so that the policy sees batches


PlayStep = Callable[[Array, View], tuple[dict[str, Array], Any]]
"""(key, view of E environments) -> (group -> actions `[E, n, ...]`, memory for the next step)."""


def play_mpe2(cfg: Config, env: Env, algorithm: Algorithm, teams: Any, tell: Callable[[str], None]) -> np.ndarray:
    """`[seeds, episodes, T]` greedy returns in the real mpe2; no episodes if it has no such task."""
    each = unstack(teams)
    if not cfg.eval_episodes_mpe2 or not env.is_in_mpe2:
        return np.zeros((len(each), 0, len(env.team_names)))

    @jax.jit
    def act(team: Any, key: Array, view: View) -> tuple[dict[str, Array], Any]:
        done = algorithm.act(team, key, view, jnp.array(True), unchanged)
        return done.actions, done.memory

    returns = []
    for k, team in enumerate(each):
        tell(f"evaluating in the real mpe2 on {cfg.eval_episodes_mpe2:,} episodes of seed {k}")
        returns.append(returns_in_mpe2(env, partial(act, team), algorithm.memory, cfg.eval_episodes_mpe2, cfg.seed))
    return np.stack(returns)


def returns_in_mpe2(env: Env, act: PlayStep, memory: Callable[[int], Any], num_episodes: int, seed: int) -> np.ndarray:
    """`[num_episodes, T]` returns (undiscounted, mean over a team's agents) in mpe2's task of that name and arguments.

    memory: number of environments -> the team's memory at the start of an episode. Episode k starts from mpe2's own
    seed `seed + k`.
    """
    copies = [make_mpe2(env) for _ in range(min(COPIES, num_episodes))]
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
        positions: Any = np.stack([positions_in_mpe2(copy) for copy in copies])
        view = View(group_observations(env, observations), positions, memory)
        device_actions, memory = act(step_key, view)
        actions = jax.device_get(device_actions)
        for k, copy in enumerate(copies):
            if copy.agents:  # unless the task has ended it early
                observations[k], rewards, *_ = copy.step(agent_actions(env, actions, k))
                returns[k] += [rewards[agent] for agent in env.agents]
    return np.stack([returns[:, where].mean(axis=-1) for where in env.team_members], axis=-1)


def positions_in_mpe2(copy: Any) -> np.ndarray:
    """`[N, 2]`: where the agents of one of mpe2's environments are."""
    return np.array([agent.state.p_pos for agent in copy.unwrapped.world.agents], np.float32)


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
