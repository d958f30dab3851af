"""Rungs on which a team's return can stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Ladder(NamedTuple):
    """What the best teams of three kinds return (of an episode, undiscounted, mean over agents); None if unknown.

    silent: of those that do not communicate; None, too, where nobody has a private goal to tell. oracle: of those that
    know all goals, learning them one step late, as from a word; without private goals, of plans made with hindsight.
    attainable: of plans of single actions, after the oracle's. attainable_success: the share of episodes in which the
    latter succeed; they are sought for the return, and where a task pays for something else than success, or the search
    falls short, that may be below 1. For one task with its arguments, by `scripts/ladder.py`: see
    `jaxmarl_comm/ladders/`, also for which of them are strict bounds.
    """

    silent: float | None
    oracle: float | None
    attainable: float | None = None
    attainable_success: float | None = None

    def score(self, returns: np.ndarray) -> np.ndarray:
        """0 as good as silent, 1 as good as the oracle; NaN unless both are known."""
        if self.silent is None or self.oracle is None:
            return np.full_like(returns, np.nan)
        return (returns - self.silent) / (self.oracle - self.silent)
