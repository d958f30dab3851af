"""Observations of others as vectors, and our actions as theirs. Runs where their environments do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from jaxmarl_comm.envs.foreign.contract import Factors, RefusedError
from jaxmarl_comm.suggest import shown

MOST_ACTIONS = 2**31 - 1  # an action is an index of 32 bits

Encode = Callable[[Any], np.ndarray]
Decode = Callable[[Any], Any]


def observer(agent: str, space: spaces.Space) -> tuple[int, Encode]:
    """(length of a vector, observation -> `[length]` float32): numbers as they are, choices one-hot.

    Raises RefusedError for any other space.
    """
    if isinstance(space, spaces.Box):
        return _length(space), lambda x: np.asarray(x, np.float32).ravel()
    if isinstance(space, spaces.MultiBinary):
        return math.prod(space.shape), lambda x: np.asarray(x, np.float32).ravel()
    if isinstance(space, spaces.Discrete):
        return int(space.n), _one_hot(agent, np.array([space.n]), np.array([space.start]))
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum()), _one_hot(agent, space.nvec.ravel(), space.start.ravel())
    if isinstance(space, spaces.Dict) and "action_mask" in space.spaces:
        raise RefusedError(f"{agent} has an action mask, and masks are not obeyed here")
    raise RefusedError(
        f"observations of {agent} are {_kind(space)}, but must be Box, Discrete, MultiDiscrete or MultiBinary"
    )


def actor(agent: str, space: spaces.Space) -> tuple[Factors, bool, Decode]:
    """(factors of our action, whether it is a vector, our action -> theirs).

    An index is made of the fast digit first; vectors in [0, 1] are stretched to the bounds, so that where these are
    whole numbers each has an equal part. Raises RefusedError for any other space.
    """
    if isinstance(space, spaces.Discrete):
        _check_number(agent, int(space.n))
        return (("move", int(space.n)),), False, lambda x: int(x) + int(space.start)
    if isinstance(space, spaces.MultiDiscrete):
        sizes = [int(n) for n in space.nvec.ravel()]
        _check_number(agent, math.prod(sizes))
        names = ["move", *(f"move_{k}" for k in range(1, len(sizes)))]
        return tuple(zip(names, sizes, strict=True)), False, _digits(space)
    if isinstance(space, spaces.Box):
        if not np.isfinite([space.low, space.high]).all():
            raise RefusedError(f"actions of {agent} are without bounds, but must have some")
        return (("move", _length(space)),), True, _stretched(space)
    raise RefusedError(f"actions of {agent} are {_kind(space)}, but must be Discrete, MultiDiscrete or a bounded Box")


def _one_hot(agent: str, sizes: np.ndarray, start: np.ndarray) -> Encode:
    places = np.concatenate([[0], np.cumsum(sizes)[:-1]])

    def encode(x: Any) -> np.ndarray:
        chosen = np.asarray(x).ravel() - start
        if (chosen < 0).any() or (chosen >= sizes).any():
            raise RefusedError(f"{agent} observes {shown(x)}, which is not in its space")
        vector = np.zeros(sizes.sum(), np.float32)
        vector[chosen + places] = 1
        return vector

    return encode


def _digits(space: spaces.MultiDiscrete) -> Decode:
    sizes = space.nvec.ravel()
    strides = np.concatenate([[1], np.cumprod(sizes)[:-1]])
    return lambda x: ((x // strides % sizes).reshape(space.shape) + space.start).astype(space.dtype)


def _stretched(space: spaces.Box) -> Decode:
    low, high, size = space.low.astype(float), space.high.astype(float), _length(space)
    whole = np.issubdtype(space.dtype, np.integer)

    def decode(x: np.ndarray) -> np.ndarray:
        share = x[:size].reshape(space.shape).astype(float)
        if whole:
            return np.floor(low + share * (high - low + 1)).clip(low, high).astype(space.dtype)
        return ((1 - share) * low + share * high).astype(space.dtype)

    return decode


def _length(space: spaces.Box) -> int:
    return math.prod(space.shape)


def _kind(space: spaces.Space) -> str:
    return type(space).__name__


def _check_number(agent: str, number: int) -> None:
    if number > MOST_ACTIONS:
        raise RefusedError(f"{agent} has {number:,} actions, but may have {MOST_ACTIONS:,} at most")
