"""A process in which environments of others run: it answers one message after the other until its pipe ends."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

import numpy as np

from jaxmarl_comm.envs.foreign.contract import Call, Description, Stepped, told
from jaxmarl_comm.envs.foreign.copy import Copy, Maker
from jaxmarl_comm.envs.foreign.describing import describe

OURS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(descriptor: int) -> None:
    """Serve whoever holds the other end of this pipe, and end with it.

    A terminal sends its signals to us, too; but who started us has its chunk to end first.
    """
    for number in OURS:
        signal.signal(number, signal.SIG_IGN)
    pipe = Connection(descriptor)
    try:
        stage = None
        while True:
            name, *arguments = pipe.recv()
            try:
                if stage is None:
                    stage = Stage(*arguments)
                    pipe.send((True, None))
                else:
                    pipe.send((True, getattr(stage, name)(*arguments)))
            except Exception as error:
                pipe.send((False, told(error)))
    except (EOFError, OSError):  # nobody is there any more
        return


class Stage:
    """Copies of one environment, by the batch that they belong to and their place in it."""

    def __init__(self, call: Call) -> None:
        self.make, self.renews = Maker(call), False
        self.copies: dict[tuple[int, int], Copy] = {}

    def describe(self) -> Description:
        return describe(self.make)

    def renew(self) -> None:
        """From now on each episode is a new copy's."""
        self.renews = True

    def reset(self, batch: int, rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """`[R, O]`, what is seen at the start of these seeds' episodes."""
        return np.stack([self._begin(batch, row, seed).obs for row, seed in zip(rows, seeds, strict=True)])

    def step(
        self, batch: int, rows: range, actions: np.ndarray, astray: Sequence[tuple[int, int, np.ndarray]]
    ) -> Stepped:
        """One step of these copies. astray: (row, seed, actions since the start) of those who are elsewhere so far."""
        for row, seed, log in astray:
            copy = self._begin(batch, row, seed)
            for past in log:
                copy.step(past)
        copies = [self.copies[batch, row] for row in rows]
        for copy, action in zip(copies, actions, strict=True):
            copy.step(action)
        return Stepped(
            np.stack([copy.obs for copy in copies]),
            np.stack([copy.reward for copy in copies]),
            np.array([copy.terminated for copy in copies]),
            np.array([copy.truncated for copy in copies]),
            np.array([copy.t for copy in copies]),
        )

    def _begin(self, batch: int, row: int, seed: int) -> Copy:
        place = int(batch), int(row)
        if self.renews or place not in self.copies:
            self.copies[place] = Copy(self.make())
        self.copies[place].reset(seed)
        return self.copies[place]
