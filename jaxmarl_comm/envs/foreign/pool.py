"""The processes in which the copies of one environment run, and how messages reach them."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise
from multiprocessing import Pipe
from typing import Any

import numpy as np

from jaxmarl_comm.envs.foreign.contract import Call, Stepped

START = "import sys; sys.path[:] = {path!r}; from jaxmarl_comm.envs.foreign.worker import main; main({descriptor})"
QUIET = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
QUIET |= {"PYGAME_HIDE_SUPPORT_PROMPT": "1"}
LAST_SECONDS = 5.0  # until a process that closed its pipe is gone


class WorkerError(Exception):
    """An environment, or the process that it ran in, failed: told in one line."""


class Worker:
    """One process. It ends when the pipe does, so with us, however we end.

    Nothing of ours is forked, as jax has threads; and no script of the user's is imported again.
    """

    def __init__(self, call: Call) -> None:
        """Raises WorkerError if the environment cannot be made there."""
        self.pipe, other = Pipe()
        here = os.getcwd()  # where users have modules of their own
        start = START.format(path=[*(path or here for path in sys.path), here], descriptor=other.fileno())
        self.process = subprocess.Popen(
            [sys.executable, "-c", start],
            pass_fds=[other.fileno()],
            env={**QUIET, **os.environ},
            stdin=subprocess.DEVNULL,
        )
        other.close()
        atexit.register(self.end)
        try:
            self.ask("begin", call)
        except WorkerError:
            self.end()
            raise

    def ask(self, name: str, *arguments: Any) -> Any:
        """What it answers. Raises WorkerError."""
        self.send(name, *arguments)
        return self.answer()

    def send(self, *message: Any) -> None:
        """Raises WorkerError."""
        try:
            self.pipe.send(message)
        except OSError:
            raise WorkerError(self.parting()) from None

    def answer(self) -> Any:
        """Of the message sent last. Raises WorkerError."""
        try:
            succeeded, found = self.pipe.recv()
        except (EOFError, OSError):
            raise WorkerError(self.parting()) from None
        if not succeeded:
            raise WorkerError(found)
        return found

    def parting(self) -> str:
        """How a process ended that is not heard any more."""
        try:
            status = self.process.wait(LAST_SECONDS)
        except subprocess.TimeoutExpired:
            return "a process that it ran in closed its pipe"
        ended = f"by signal {-status}" if status < 0 else f"with exit status {status}"
        return f"a process that it ran in ended {ended}"

    def end(self) -> None:
        atexit.unregister(self.end)
        self.pipe.close()
        self.process.kill()
        self.process.wait()


class Pool:
    """Some processes, each with a part of the rows of every batch."""

    def __init__(self, call: Call, num_workers: int, renews: bool, first: Worker | None) -> None:
        """renews: see `Description`. first: one that has been started. Raises WorkerError, having ended all."""
        self.workers = [first or Worker(call)]
        try:
            self.workers += [Worker(call) for _ in range(num_workers - 1)]
            if renews:
                self._ask_all([("renew",)] * num_workers)
        except WorkerError:
            self.end()
            raise

    def shares(self, num_rows: int) -> list[range]:
        """The rows of each process."""
        ends = [num_rows * k // len(self.workers) for k in range(len(self.workers) + 1)]
        return [range(start, end) for start, end in pairwise(ends)]

    def reset(self, wanted: np.ndarray, seeds: np.ndarray) -> list[np.ndarray]:
        """`[R, O]` in parts, of those of the rows `[B]` that are wanted. Raises WorkerError."""
        rows = [np.flatnonzero(wanted[share.start : share.stop]) + share.start for share in self.shares(len(wanted))]
        return self._ask_all([("reset", len(wanted), of, seeds[of]) if len(of) else None for of in rows])

    def step(self, actions: np.ndarray, astray: Sequence[tuple[int, int, np.ndarray]]) -> Stepped:
        """A step of all rows `[B]`; astray: see `Stage.step`. Raises WorkerError."""
        parts = self._ask_all(
            [
                ("step", len(actions), share, actions[share.start : share.stop], [a for a in astray if a[0] in share])
                if share
                else None
                for share in self.shares(len(actions))
            ]
        )
        return Stepped(*(np.concatenate(x) for x in zip(*parts, strict=True)))

    def _ask_all(self, messages: list[tuple[Any, ...] | None]) -> list[Any]:
        """The answers of those processes for which there is a message, which work at the same time."""
        asked = [(worker, message) for worker, message in zip(self.workers, messages, strict=True) if message]
        for worker, message in asked:
            worker.send(*message)
        return [worker.answer() for worker, _ in asked]

    def end(self) -> None:
        for worker in self.workers:
            worker.end()
