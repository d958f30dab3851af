"""The teams of a run that did best while they learned, by greedy episodes, which training returns only hint at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.checkpoint import Checkpoints, DamagedError, Record

Measure = Callable[[Any], dict[str, np.ndarray]]
"""Teams of all seeds -> metrics, `[seeds]` each."""


class Better(NamedTuple):
    """Teams, in numpy, and their greedy return, the mean over seeds."""

    greedy_return: float
    teams: Any


class Best:
    """Checkpoints of teams alone, each better than the one before: as of any iteration, the newest one is the best.

    One is kept for each whole state that the run may go on from, so that a resumed run finds the best as of then.
    Where sides compete there is none: what is good for one is bad for the other.
    """

    def __init__(self, folder: Path) -> None:
        self.checkpoints = Checkpoints(folder)
        self.most = -math.inf

    def record(self) -> Record | None:
        """Of the best so far, as far as it is whole."""
        for iteration in reversed(self.checkpoints.iterations):
            try:
                return self.checkpoints.record(iteration)
            except DamagedError:
                continue
        return None

    def rewind(self, iteration: int) -> None:
        """Forget those after this iteration, which a resumed run finds again."""
        self.checkpoints.forget_after(iteration)
        record = self.record()
        self.most = -math.inf if record is None or record.greedy_return is None else record.greedy_return

    def better(self, teams: Any, metrics: Mapping[str, np.ndarray]) -> Better | None:
        """These teams, if their `eval_return` is better than all before: copies, as training takes their memory."""
        mean = float(np.mean(metrics.get("eval_return", math.nan)))
        if not mean > self.most:
            return None
        self.most = mean
        return Better(mean, jax.tree.map(np.array, teams))

    def save(self, iteration: int, found: Better, config: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """Raises CheckpointError."""
        self.checkpoints.save(iteration, found.teams, config, seconds, found.greedy_return)

    def forget_before(self, iteration: int) -> None:
        """Let go of those that are not the best as of this iteration or a later one."""
        self.checkpoints.forget([k for k in self.checkpoints.iterations if k <= iteration][:-1])
