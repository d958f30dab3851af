"""What an environment of others is like, by looking at it and playing it a little. Runs where their environments do."""

from __future__ import annotations

import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from jaxmarl_comm.envs.foreign.contract import Description, RefusedError
from jaxmarl_comm.envs.foreign.copy import Copy, Maker

SEEDS = (1, 2)
MOST_STEPS = 200
MOST_SECONDS = 0.5
MOST_WRAPPED = 20
STATM = Path("/proc/self/statm")  # what `getrusage` tells begins with what our parent held


def describe(make: Maker) -> Description:
    """Raises RefusedError for an environment that cannot be had here, and whatever it raises itself."""
    env = make()
    first = Copy(env)  # what a first one loads is no part of what a copy takes
    first.reset(SEEDS[0])
    kinds = {continuous for _, continuous, _ in first.actors}
    if len(kinds) > 1:
        raise RefusedError("some of its agents have continuous actions, others discrete ones")
    before = _bytes_here()
    new, other = Copy(make()), Copy(make())
    new.reset(SEEDS[1])
    other.reset(SEEDS[1])
    taken = max(0, _bytes_here() - before) // 2
    began, steps = time.perf_counter(), 0
    recorded = [(first.obs, first.reward)]
    rng = np.random.default_rng(0)
    deeds = []
    while not first.is_over and steps < MOST_STEPS and time.perf_counter() - began < MOST_SECONDS:
        deeds.append(_random_actions(first, rng))
        first.step(deeds[-1])
        other.step(deeds[-1])
        recorded.append((first.obs, first.reward))
        steps += 1
    seconds = (time.perf_counter() - began) / (2 * steps)
    repeats = _same(other, deeds, recorded)
    renews = not repeats and _same(Copy(make()), deeds, recorded)
    return Description(
        agents=first.agents,
        obs_dims=tuple(length for length, _ in first.observers),
        factors=tuple(factors for factors, _, _ in first.actors),
        continuous=kinds.pop(),
        max_cycles=_length(make, env),
        seconds=seconds,
        bytes=taken,
        repeats=repeats or renews,
        renews=renews,
    )


def _length(make: Maker, env: Any) -> int | None:
    """Steps of an episode: as asked for, or as the environment itself says, or one of those that it wraps."""
    if make.call.max_cycles is not None:
        return make.call.max_cycles
    for _ in range(MOST_WRAPPED):
        found = getattr(env, "max_cycles", None)
        if isinstance(found, int | np.integer) and found >= 1:
            return int(found)
        env = next((vars(env)[name] for name in ("aec_env", "par_env", "env") if name in vars(env)), None)
        if env is None:
            break
    return None


def _random_actions(copy: Copy, rng: np.random.Generator) -> np.ndarray:
    """`[N]` or `[N, D]`."""
    if copy.actors[0][1]:
        most = max(size for ((_, size),), _, _ in copy.actors)
        return rng.random((len(copy.agents), most), np.float32)
    return np.array([rng.integers(np.prod([size for _, size in factors])) for factors, _, _ in copy.actors])


def _same(copy: Copy, deeds: list[np.ndarray], recorded: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    """Whether these deeds give what was recorded of another copy, whatever this one has done before."""
    copy.reset(SEEDS[0])
    found = [copy.obs]
    rewards = []
    for deed in deeds:
        copy.step(deed)
        found.append(copy.obs)
        rewards.append(copy.reward)
    return bool(
        np.array_equal(found, [obs for obs, _ in recorded], equal_nan=True)
        and np.array_equal(rewards, [reward for _, reward in recorded[1:]], equal_nan=True)
    )


def _bytes_here() -> int:
    """Memory that this process holds, 0 where the system does not tell."""
    try:
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0
