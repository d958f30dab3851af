"""Our environments as PettingZoo's: `to_pettingzoo(env)`, and `pettingzoo.utils.parallel_to_aec` from there.

So that whatever reads PettingZoo's interface (its tests, wrappers, other trainers) can play them.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from jaxmarl_comm.envs.base import ActionSpace, Array, Env, State

RENDER_MODES = (None, "rgb_array")
FRAMES_PER_SECOND = 10  # one step of MPE's physics is a tenth of a second


def to_pettingzoo(env: Env, render_mode: str | None = None) -> PettingZooEnv:
    """The environment as a PettingZoo `ParallelEnv`; `render_mode` is None or "rgb_array".

    Raises ValueError for another render mode.
    """
    return PettingZooEnv(env, render_mode)


class PettingZooEnv(ParallelEnv[str, np.ndarray, Any]):
    """One episode at a time, with observations and rewards in numpy and float.

    `reset(seed=s)` starts the same series of episodes whenever it is called; `reset()` goes on with it. A step with
    wrong actions is a ValueError that says what is wrong with them, and changes nothing.
    """

    def __init__(self, env: Env, render_mode: str | None = None) -> None:
        if render_mode not in RENDER_MODES:
            raise ValueError(f"render_mode is {render_mode!r}, but must be None or 'rgb_array'")
        self.env = env
        self.render_mode = render_mode
        self.metadata = {
            "name": env.name,
            "render_modes": ["rgb_array"],
            "render_fps": FRAMES_PER_SECOND,
            "is_parallelizable": True,
        }
        self.possible_agents = list(env.agents)
        self.agents: list[str] = []
        self.observation_spaces = {agent: _box(env.obs_dims[env.seat(k)[0]]) for k, agent in enumerate(env.agents)}
        self.action_spaces = {agent: _space(env.action_spaces[env.seat(k)[0]]) for k, agent in enumerate(env.agents)}
        self.state_space = _box(sum(env.obs_dims[env.seat(k)[0]] for k in range(env.num_agents)))
        self._key = jax.random.key(np.random.SeedSequence().generate_state(1)[0])
        self._state: State = None
        self._obs: dict[str, np.ndarray] = {}

    @property
    def max_cycles(self) -> int:
        """Steps of an episode. Setting it changes the length of the episodes."""
        return self.env.max_cycles

    @max_cycles.setter
    def max_cycles(self, steps: int) -> None:
        self.env = replace(self.env, max_cycles=steps)

    def observation_space(self, agent: str) -> spaces.Box:
        """`[obs_dim]` of this agent; always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """`Discrete(n)`, or `Box(0, 1, [dim])` with continuous actions; always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, dict]]:
        """A fresh episode: observations and empty infos of all agents. `options` are ignored, as in mpe2."""
        if seed is not None:
            self._key = jax.random.key(seed)
        self._key, self._state, obs = _compiled(self.env).reset(self._key)
        self.agents = list(self.possible_agents)
        self._obs = self._by_agent(obs)
        return dict(self._obs), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        """Observations, rewards, terminations, truncations, infos of the live agents; empty after the end.

        Raises ValueError unless there is one valid action for each live agent.
        """
        if not self.agents and not actions:
            return {}, {}, {}, {}, {}
        if set(actions) != set(self.agents):
            expected = ", ".join(self.agents) or "nobody: the episode is over, or has not begun (call reset)"
            raise ValueError(
                f"there are actions of {', '.join(map(str, actions)) or 'nobody'}, but must be of {expected}"
            )
        grouped = {
            group: np.stack([self._checked(k, group, actions) for k in where])
            for group, where in self.env.groups.items()
        }
        result = _compiled(self.env).step(self._key, self._state, grouped)
        self._key, self._state, obs, reward, terminated, truncated = result
        self._obs = self._by_agent(obs)
        live, self.agents = self.agents, [] if terminated or truncated else self.agents
        return (
            dict(self._obs),
            dict(zip(live, np.asarray(reward).tolist(), strict=True)),
            dict.fromkeys(live, bool(terminated)),
            dict.fromkeys(live, bool(truncated)),
            {agent: {} for agent in live},
        )

    def state(self) -> np.ndarray:
        """`[S]`: all agents' observations, one after the other."""
        return np.concatenate([self._obs[agent] for agent in self.possible_agents])

    def render(self) -> np.ndarray | None:
        """`[H, W, 3]` uint8 in render mode "rgb_array", else None."""
        return self.env.render(self._state) if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """There is nothing to close."""

    def _by_agent(self, obs: dict[str, Array]) -> dict[str, np.ndarray]:
        rows = {group: np.asarray(x, np.float32) for group, x in obs.items()}
        return {self.env.agents[k]: rows[group][j] for group, w in self.env.groups.items() for j, k in enumerate(w)}

    def _checked(self, position: int, group: str, actions: Mapping[str, Any]) -> np.ndarray:
        """The agent's action as an array, if it is in its space."""
        agent = self.env.agents[position]
        space, action = self.env.action_spaces[group], actions[agent]
        try:
            array = np.asarray(action, np.float32) if space.continuous else np.asarray(operator.index(action))
        except (TypeError, ValueError):
            array = np.array([])  # no number at all
        if array.shape != space.shape or not np.all(space.in_range(array)):
            raise ValueError(f"the action of {agent} is {action!r}, but must be {space.allowed}")
        return array


class _Compiled(NamedTuple):
    """reset: key -> (next key, state, obs). step: (key, state, actions) -> (next key, state, *time step)."""

    reset: Any
    step: Any


@lru_cache(maxsize=64)
def _compiled(env: Env) -> _Compiled:
    """Shared by all instances of equal environments."""

    def reset(key: Array) -> tuple[Any, ...]:
        key, reset_key = jax.random.split(key)
        state, ts = env.reset(reset_key)
        return key, state, ts.obs

    def step(key: Array, state: State, actions: dict[str, Array]) -> tuple[Any, ...]:
        key, step_key = jax.random.split(key)
        state, ts = env.step(step_key, state, actions)
        return key, state, *ts

    return _Compiled(jax.jit(reset), jax.jit(step))


def _box(size: int) -> spaces.Box:
    return spaces.Box(-np.inf, np.inf, (size,), np.float32)


def _space(space: ActionSpace) -> spaces.Space:
    return spaces.Box(0.0, 1.0, (space.dim,), np.float32) if space.continuous else spaces.Discrete(space.n)
