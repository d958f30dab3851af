"""Rungs on which a team's return can stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Ladder(NamedTuple):
    """Returns (mpe2 1.1.1, 25 steps, undiscounted, mean over agents) of the best teams of two kinds; None if unknown.

    silent: of those that do not communicate. oracle: of those that know all goals, learning them one step late, as from
    a word. Both by convex relaxation and trajectory optimisation, for one task with its arguments.
    """

    silent: float | None
    oracle: float | None

    def score(self, returns: np.ndarray) -> np.ndarray:
        """0 as good as silent, 1 as good as the oracle; NaN unless both are known."""
        if self.silent is None or self.oracle is None:
            return np.full_like(returns, np.nan)
        return (returns - self.silent) / (self.oracle - self.silent)
