"""A rating that a crowd of copies, or of weak opponents, cannot move: what one returns against those that matter."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

ROUNDING = 1e-6  # weights below are none


class Nash(NamedTuple):
    """Of E entries of a side and its O opponents.

    ratings: `[E]`. weights: `[E]`, of the best mixture of entries. hardest: `[O]`, of the hardest mixture of opponents.
    """

    ratings: np.ndarray
    weights: np.ndarray
    hardest: np.ndarray


def nash_average(returns: np.ndarray) -> Nash:
    """The Nash average of a side, from its own returns S `[E, O]` (Balduzzi et al. 2018, "Re-evaluating Evaluation").

    As there for agents against tasks: S is taken for a zero-sum game, whoever picks opponents wanting the side to
    return little, whether or not that pays the opponents themselves. With an equilibrium (p, q) of it, ratings are S q,
    in units of return: nobody's is above the game's value, and who has a weight in any equilibrium is at it. Copies of
    entries or of opponents change no rating.

    Where there are several equilibria, p and q are the vertices that linear programming finds, not the mixtures of
    maximum entropy: among copies, one may have all the weight. Ratings at the value are the same for each of them,
    those below it need not be; measured returns are hardly ever so equal.
    """
    weights, hardest = security(returns), security(-returns.T)
    return Nash(returns @ hardest, weights, hardest)


def security(game: np.ndarray) -> np.ndarray:
    """The weights `[R]` of rows of a game `[R, C]` that win most against the worst column for them.

    The linear program max v, so that p G >= v in each column, p >= 0, sum p = 1 (von Neumann 1928).
    """
    rows, columns = game.shape
    found = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-game.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * rows + [(None, None)],
    )
    weights = np.array(found.x)[:rows]
    kept = np.where(weights < ROUNDING, 0.0, weights)
    return kept / kept.sum()
