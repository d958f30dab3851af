"""What the compiled program asks of environments in Python: the answer depends on what is asked, and on nothing else.

An episode is its seed and the actions so far. For each row of each batch there is a copy, which usually stands where it
is asked to go on; one that does not begins again with the seed, and repeats the actions. So a run that is resumed, or
a state that is played from twice, sees the same.
"""

from __future__ import annotations

import logging
from functools import cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm.envs.foreign.contract import Call, Description
from jaxmarl_comm.envs.foreign.failure import EnvironmentFailedError, note
from jaxmarl_comm.envs.foreign.pool import Pool, Worker, WorkerError


class Standing(NamedTuple):
    """Where the copies of B rows stand. seed, t: `[B]`. over: `[B]` bool. log: `[B, T, ...]`, actions up to t."""

    seed: np.ndarray
    t: np.ndarray
    over: np.ndarray
    log: np.ndarray

    def at(self, seed: np.ndarray, t: np.ndarray, log: np.ndarray) -> np.ndarray:
        """`[B]` bool: who stands there. An episode that is over is over at any later time, too."""
        begun = np.arange(log.shape[1]) < self.t[:, None]
        same = ((self.log == log) | ~begun.reshape(*begun.shape, *(1,) * (log.ndim - 2))).reshape(len(seed), -1)
        return (self.seed == seed) & ((self.t == t) | (self.over & (t > self.t))) & same.all(axis=1)


class Host:
    """All copies of one environment in this process's workers."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.num_workers = 1
        self.lock = Lock()
        self.first: Worker | None = None
        self.pool: Pool | None = None
        self.standing: dict[int, Standing] = {}

    def describe(self) -> Description:
        """Raises WorkerError."""
        worker = Worker(self.call)
        try:
            found: Description = worker.ask("describe")
        except WorkerError:
            worker.end()
            raise
        self.first = worker
        return found

    def reset(self, seed: Any, wanted: Any) -> np.ndarray:
        """`[..., O]` of episodes with these seeds `[...]`, zeros where they are not wanted (`[...]` bool)."""
        seed, wanted = np.asarray(seed), np.asarray(wanted)
        obs = np.zeros((seed.size, sum(description(self.call).obs_dims)), np.float32)
        rows = wanted.reshape(-1)
        if rows.any():
            with self.lock:
                obs[rows] = np.concatenate(self._asked("reset", rows, seed.reshape(-1)))
                there = self._standing(rows.size)
                there.seed[rows], there.t[rows], there.over[rows] = seed.reshape(-1)[rows], 0, False
        return obs.reshape(*seed.shape, -1)

    def step(self, seed: Any, t: Any, log: Any, actions: Any) -> tuple[np.ndarray, ...]:
        """obs `[..., O]`, reward `[..., N]`, terminated and truncated `[...]` after these actions `[..., N(, D)]`.

        seed, t: `[...]`, and log: `[..., T, N(, D)]`, of which the first t were played.
        """
        seed, t, log, actions = (np.asarray(x) for x in (seed, t, log, actions))
        shape, rows = seed.shape, seed.size
        seed, t = seed.reshape(-1), t.reshape(-1)
        log, actions = (x.reshape(rows, *x.shape[len(shape) :]) for x in (log, actions))
        with self.lock:
            astray = np.flatnonzero(~self._standing(rows).at(seed, t, log))
            found = self._asked("step", actions, [(row, seed[row], log[row, : t[row]]) for row in astray])
            log = log.copy()
            log[np.arange(rows), np.minimum(t, log.shape[1] - 1)] = actions
            self.standing[rows] = Standing(seed.copy(), found.t, found.terminated | found.truncated, log)
        results = found.obs, found.reward, found.terminated, found.truncated
        return tuple(x.reshape(*shape, *x.shape[1:]) for x in results)

    def step_in_lockstep(self, seed: Any, t: Any, log: Any, actions: Any) -> tuple[np.ndarray, ...]:
        """The same where no episode may end before `max_cycles`. Raises EnvironmentFailedError if one does."""
        found = self.step(seed, t, log, actions)
        early = (found[2] | found[3]) & (np.asarray(t) + 1 < np.asarray(log).shape[np.ndim(t)])
        if early.any():
            raise self._failed(
                f"an episode ended after {int(np.asarray(t)[early].min()) + 1} steps, though env.ends_early is false"
            )
        return found

    def _standing(self, rows: int) -> Standing:
        if rows not in self.standing:
            of = description(self.call)
            log = np.zeros((rows, of.max_cycles or 0, *of.action_shape), np.float32 if of.continuous else np.int32)
            self.standing[rows] = Standing(np.full(rows, -1), np.zeros(rows, int), np.zeros(rows, bool), log)
        return self.standing[rows]

    def _asked(self, name: str, *arguments: Any) -> Any:
        """Raises EnvironmentFailedError, after which everything begins anew if it is asked again."""
        try:
            if self.pool is None:
                first, self.first = self.first, None
                self.pool = Pool(self.call, self.num_workers, description(self.call).renews, first)
            return getattr(self.pool, name)(*arguments)
        except WorkerError as error:
            if self.pool is not None:
                self.pool.end()
            self.pool = None
            self.standing.clear()
            raise self._failed(str(error)) from None

    def _failed(self, why: str) -> EnvironmentFailedError:
        return note(EnvironmentFailedError(f"{self.call.name} failed: {why}"))


@cache
def host_of(call: Call) -> Host:
    """The same for equal calls."""
    return Host(call)


@cache
def description(call: Call) -> Description:
    """What such an environment is like. Raises WorkerError."""
    return host_of(call).describe()


class _NoTraceback(logging.Filter):
    """jax logs what a callback raises, with its traceback; ours is told by whoever catches it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], EnvironmentFailedError))


logging.getLogger("jax._src.callback").addFilter(_NoTraceback())
