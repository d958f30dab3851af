"""A trained team as a plain function of PettingZoo's observation dictionaries, to play in anyone's loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import View
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.envs.base import Array, Env
from jaxmarl_comm.evaluation.reference import PlayStep, agent_actions, group_observations
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner, TrainResult
from jaxmarl_comm.saved import LATEST


def load_policy(
    run: str | Path | TrainResult, seed: int = 0, greedy: bool = True, key: int = 0, checkpoint: str | int = LATEST
) -> Policy:
    """The team that a run has trained, as `act({agent: obs}) -> {agent: action}`.

    seed: which of the run's seeds, from 0. greedy: each agent's most probable action, instead of a sampled one.
    key: seed of the sampling. checkpoint: `latest`, `best` (by short greedy evaluations in training) or an iteration
    that is kept. Raises RunError if `run` is not a run folder or has no such checkpoint, CheckpointError if its
    checkpoint is damaged, ValueError if it has no such seed.
    """
    folder, cfg = RunFolder.open(Path(run) if isinstance(run, str | Path) else run.run_dir)
    if not 0 <= seed < cfg.num_seeds:
        raise ValueError(f"seed is {seed}, but {folder.path} has {cfg.num_seeds} (from 0 to {cfg.num_seeds - 1})")
    runner = Runner(cfg, folder)
    algorithm = runner.algorithm
    teams, _ = runner.load_teams(checkpoint)

    @jax.jit
    def act(team: Any, key: Array, view: View) -> tuple[dict[str, Array], Any]:
        done = algorithm.act(team, key, view, jnp.array(greedy), unchanged)
        return done.actions, done.memory

    team = jax.tree.map(lambda x: x[seed], teams)
    return Policy(runner.env, partial(act, team), algorithm.memory, key)


class Policy:
    """All agents of one environment. Messages over the channel pass between them inside, within each call or later.

    Call `reset()` at the start of each episode: what is still under way must not be heard in the next.

    env: the task that the team was trained on, with its agents, groups and spaces.
    """

    def __init__(self, env: Env, act: PlayStep, memory: Callable[[int], Any], key: int = 0) -> None:
        self.env = env
        self._act, self._fresh = act, memory(1)
        self.reset(key)

    def reset(self, key: int | None = None) -> None:
        """Begin an episode. With a key, random numbers start again as with `load_policy(..., key=key)`; else go on."""
        self._memory = self._fresh
        if key is not None:
            self._key = jax.random.key(key)

    def __call__(self, observations: Mapping[str, Any], positions: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """agent -> `[obs_dim]` of all agents -> agent -> int, or float32 `[dim]` in [0, 1] with continuous actions.

        positions: agent -> `[2]`, needed only by teams who hear whoever is near. Raises ValueError unless there is an
        observation of the right shape for each agent, and a position where one is needed.
        """
        self._check(observations)
        if positions is not None and set(positions) != set(self.env.agents):
            raise ValueError(f"positions must be of {', '.join(self.env.agents)}")
        self._key, key = jax.random.split(self._key)
        where: Any = (
            None if positions is None else np.array([[positions[agent] for agent in self.env.agents]], np.float32)
        )
        view = View(group_observations(self.env, [observations]), where, self._memory)
        actions, self._memory = self._act(key, view)
        return agent_actions(self.env, jax.device_get(actions), 0)

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
