"""One environment of others, as arrays. Runs where their environments do."""

from __future__ import annotations

import json
import math
from importlib import import_module
from typing import Any

import numpy as np
from pettingzoo import AECEnv

from jaxmarl_comm.envs.foreign import spaces
from jaxmarl_comm.envs.foreign.contract import Call, RefusedError
from jaxmarl_comm.suggest import shown

MAKER = "parallel_env"


class Maker:
    """Makes one copy after the other. What the first refuses is not tried again."""

    def __init__(self, call: Call) -> None:
        """Raises RefusedError if there is no such function, and whatever importing its module raises."""
        module, _, name = call.target.partition(":")
        try:
            found = import_module(module)
        except ModuleNotFoundError as error:
            raise RefusedError(f"there is no module {error.name} to import {module}") from None
        make = getattr(found, name or MAKER, None)
        if not callable(make):
            raise RefusedError(f"{module} has no {name or MAKER}; name what makes the environment, module:callable")
        self.call, self.make = call, make
        self.arguments = json.loads(call.arguments)
        if call.max_cycles is not None:
            self.arguments["max_cycles"] = call.max_cycles

    def __call__(self) -> Any:
        """A new environment of theirs. One that takes no max_cycles is made without, and cut off by us."""
        try:
            return self.make(**self.arguments)
        except TypeError as error:
            if self.call.max_cycles is None or "max_cycles" not in self.arguments or "max_cycles" not in str(error):
                raise
        del self.arguments["max_cycles"]
        return self.make(**self.arguments)


class Copy:
    """An environment of theirs that knows how far its episode is.

    obs: `[O]`, all agents' one after the other. reward: `[N]`. Of agents that have left both are 0.
    """

    def __init__(self, env: Any) -> None:
        """Raises RefusedError for what is no parallel environment, and for spaces that cannot be had here."""
        if isinstance(env, AECEnv):
            raise RefusedError("its agents act one after the other (AEC), but must act at once: name its parallel_env")
        if not all(hasattr(env, name) for name in ("possible_agents", "reset", "step", "observation_space")):
            raise RefusedError(f"it makes a {type(env).__name__}, but must make a ParallelEnv with possible_agents")
        if isinstance(env.possible_agents, set | frozenset):
            raise RefusedError("its possible_agents are a set, but must be in a fixed order")
        self.env, self.agents = env, tuple(env.possible_agents)
        if not self.agents or not all(isinstance(agent, str) for agent in self.agents):
            raise RefusedError(f"its possible_agents are {shown(self.agents)}, but must be names")
        self.observers = [spaces.observer(agent, env.observation_space(agent)) for agent in self.agents]
        self.actors = [spaces.actor(agent, env.action_space(agent)) for agent in self.agents]
        self.t, self.terminated, self.truncated = 0, False, False
        self.reward = np.zeros(len(self.agents), np.float32)

    @property
    def is_over(self) -> bool:
        return self.terminated or self.truncated

    def reset(self, seed: int) -> None:
        """Begin the episode of this seed. Raises RefusedError unless all agents are there."""
        obs, _ = self.env.reset(seed=int(seed))
        if set(self.env.agents) != set(self.agents):
            raise RefusedError(
                f"after a reset its agents are {', '.join(map(str, self.env.agents))}, but must be its possible_agents "
                f"{', '.join(self.agents)}"
            )
        self.t, self.terminated, self.truncated = 0, False, False
        self._see(obs)

    def step(self, actions: np.ndarray) -> None:
        """One step with our actions, `[N, ...]`; none once the episode is over."""
        if self.is_over:
            self.reward = np.zeros_like(self.reward)
            return
        live = set(self.env.agents)
        theirs = {
            agent: decode(action)
            for agent, action, (_, _, decode) in zip(self.agents, actions, self.actors, strict=True)
            if agent in live
        }
        obs, rewards, terminated, truncated, _ = self.env.step(theirs)
        self.t += 1
        self.reward = np.array([self._number(agent, rewards.get(agent, 0.0)) for agent in self.agents], np.float32)
        self._see(obs)
        if all(terminated.get(agent, True) or truncated.get(agent, True) for agent in theirs):
            self.truncated = any(truncated.get(agent, False) for agent in theirs)
            self.terminated = not self.truncated

    def _see(self, obs: dict[str, Any]) -> None:
        self.obs = np.concatenate(
            [self._seen(agent, obs, *of) for agent, of in zip(self.agents, self.observers, strict=True)]
        )
        if not np.isfinite(self.obs).all():
            raise RefusedError("it shows a number that is not finite, from which nobody can learn")

    @staticmethod
    def _number(agent: str, reward: Any) -> float:
        try:
            number = float(np.asarray(reward).item())
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise RefusedError(f"the reward of {agent} is {shown(reward)}, but must be a finite number")
        return number

    @staticmethod
    def _seen(agent: str, obs: dict[str, Any], length: int, encode: spaces.Encode) -> np.ndarray:
        if agent not in obs:
            return np.zeros(length, np.float32)
        vector = encode(obs[agent])
        if vector.shape != (length,):
            raise RefusedError(f"{agent} observes {vector.size} numbers, but its space has {length}")
        return vector
