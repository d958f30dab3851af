"""What passes between this process and those in which the environments of others run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.suggest import one_line

Factors = tuple[tuple[str, int], ...]


class Call(NamedTuple):
    """Which function makes the environment, and with what: equal for equal environments.

    target: `module` or `module:callable`. arguments: JSON, but for max_cycles, which not every environment takes.
    """

    target: str
    arguments: str
    max_cycles: int | None

    @property
    def name(self) -> str:
        return PREFIX + self.target

    @classmethod
    def of(cls, target: str, arguments: Mapping[str, Any], max_cycles: int | None) -> Call:
        """Raises TypeError for arguments that JSON cannot say."""
        return cls(target, json.dumps(arguments, sort_keys=True), max_cycles)


class Description(NamedTuple):
    """What there is to know of an environment before it is played.

    agents: `possible_agents`. obs_dims, factors: of each agent (see `ActionSpace`). continuous: whether actions are
    vectors. max_cycles: steps of an episode, None if nobody says. seconds: that a step took. bytes: that a copy takes.
    repeats: whether the same seed and actions gave the same episode again. renews: whether they did so only in a new
    copy, so that each episode needs one.
    """

    agents: tuple[str, ...]
    obs_dims: tuple[int, ...]
    factors: tuple[Factors, ...]
    continuous: bool
    max_cycles: int | None
    seconds: float
    bytes: int
    repeats: bool
    renews: bool

    @property
    def action_shape(self) -> tuple[int, ...]:
        """`[N]` indices, or `[N, D]` numbers, D being the most that any agent has."""
        most = max(sum(size for _, size in factors) for factors in self.factors)
        return (len(self.agents), most) if self.continuous else (len(self.agents),)


class Stepped(NamedTuple):
    """What R copies show after a step. obs: `[R, O]`, all agents' one after the other. reward: `[R, N]`.

    terminated, truncated: `[R]` bool. t: `[R]`, steps since the start, which stand still once an episode is over.
    """

    obs: Any
    reward: Any
    terminated: Any
    truncated: Any
    t: Any


class RefusedError(Exception):
    """An environment that cannot be had here, told in one line."""


def told(error: BaseException) -> str:
    """One line of an error: its message, and its type unless it is our own."""
    return one_line(str(error) if isinstance(error, RefusedError) else f"{type(error).__name__}: {error}")
