"""A trained team as a plain function of PettingZoo's observation dictionaries, to play in anyone's loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.envs.base import Array, Env
from jaxmarl_comm.evaluation.mpe2 import agent_actions, group_observations
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner, TrainResult

GroupAct = Callable[[Array, dict[str, np.ndarray]], dict[str, Array]]


def load_policy(run: str | Path | TrainResult, seed: int = 0, greedy: bool = True, key: int = 0) -> Policy:
    """The team that a run has trained, from its newest checkpoint, as `act({agent: obs}) -> {agent: action}`.

    seed: which of the run's seeds, from 0. greedy: each agent's most probable action, instead of a sampled one.
    key: seed of the sampling. Raises RunError if `run` is not a run folder or has no checkpoint, CheckpointError if
    its checkpoint is damaged, ValueError if it has no such seed.
    """
    folder, cfg = RunFolder.open(run.run_dir if isinstance(run, TrainResult) else Path(run))
    if not 0 <= seed < cfg.num_seeds:
        raise ValueError(f"seed is {seed}, but {folder.path} has {cfg.num_seeds} (from 0 to {cfg.num_seeds - 1})")
    runner = Runner(cfg, folder)
    algorithm = runner.algorithm
    params = jax.tree.map(lambda x: x[seed], algorithm.policy(runner.load()[0]))

    @jax.jit
    def act(params: Any, key: Array, obs: dict[str, Array]) -> dict[str, Array]:
        return algorithm.act(params, key, obs, jnp.array(greedy), unchanged).actions

    return Policy(runner.env, partial(act, params), key)


class Policy:
    """All agents of one environment. Messages over the channel pass between them inside, within each call.

    Nothing is remembered from one step to the next but the random numbers, of which a greedy team uses none. Call
    `reset()` at the start of each episode all the same, so that a loop serves teams with a memory, too.

    env: the task that the team was trained on, with its agents, groups and spaces.
    """

    def __init__(self, env: Env, act: GroupAct, key: int = 0) -> None:
        self.env = env
        self._act = act
        self.reset(key)

    def reset(self, key: int | None = None) -> None:
        """Begin an episode. With a key, sampled actions start again as with `load_policy(..., key=key)`; else go on."""
        if key is not None:
            self._key = jax.random.key(key)

    def __call__(self, observations: Mapping[str, Any]) -> dict[str, Any]:
        """agent -> `[obs_dim]` of all agents -> agent -> int, or float32 `[dim]` in [0, 1] with continuous actions.

        Raises ValueError unless there is an observation of the right shape for each agent.
        """
        self._check(observations)
        self._key, key = jax.random.split(self._key)
        actions = jax.device_get(self._act(key, group_observations(self.env, [observations])))
        return agent_actions(self.env, actions, 0)

    def _check(self, observations: Mapping[str, Any]) -> None:
        if not isinstance(observations, Mapping):
            raise ValueError(f"observations are {type(observations).__name__}, but must be a dict from agent to array")
        agents = self.env.agents
        if set(observations) != set(agents):
            given = ", ".join(map(str, observations)) or "nobody"
            raise ValueError(f"there are observations of {given}, but must be of {', '.join(agents)}")
        for position, agent in enumerate(agents):
            expected = (self.env.obs_dims[self.env.seat(position)[0]],)
            if np.shape(observations[agent]) != expected:
                raise ValueError(
                    f"the observation of {agent} has shape {np.shape(observations[agent])}, but must have {expected}"
                )
