"""What it is worth to know one's partner.

From `[S, S]` returns of S seeds with each other, own partners on the diagonal, come estimates over seeds. As all seeds
share the same strangers, intervals are the jackknife's (Tukey 1958; of means over pairs, Arvesen 1969): each seed in
turn is left out, its row and its column. That takes three seeds.
"""

from __future__ import annotations

import numpy as np

from jaxmarl_comm.evaluation.stats import Estimate, estimate, student

FEWEST = 3  # seeds that an interval needs


def with_partner(returns: np.ndarray) -> Estimate:
    """Of each seed with its own partner."""
    return estimate(returns.diagonal())


def with_strangers(returns: np.ndarray) -> Estimate:
    """Of each seed with all others, as row and as column."""
    return _over_pairs(_among_others(returns), _pseudo_values(returns))


def lost_with_strangers(returns: np.ndarray) -> Estimate:
    """What each seed returns with its own partner, less that with strangers, as row and as column."""
    own = returns.diagonal()
    return _over_pairs(own - _among_others(returns), own - _pseudo_values(returns))


def diagonal_advantage(returns: np.ndarray) -> Estimate:
    """What each row returns in its own column, less its mean in the others' columns."""
    own, others = returns.diagonal(), len(returns) - 1
    each = own - (returns.sum(axis=1) - own) / max(others, 1) if others else np.full(1, np.nan)
    return _over_pairs(each, own - _pseudo_values(returns))


def _among_others(returns: np.ndarray) -> np.ndarray:
    own = returns.diagonal()
    return (returns.sum(axis=0) + returns.sum(axis=1) - 2 * own) / (2 * (len(returns) - 1))


def _pseudo_values(returns: np.ndarray) -> np.ndarray:
    """`[S]`, whose mean is that of all cells off the diagonal, with the right spread; NaN where seeds are too few."""
    seeds = len(returns)
    if seeds < FEWEST:
        return np.full(seeds, np.nan)
    total, own = returns.sum() - returns.trace(), returns.diagonal()
    without = (total - returns.sum(axis=0) - returns.sum(axis=1) + 2 * own) / ((seeds - 1) * (seeds - 2))
    return seeds * total / (seeds * (seeds - 1)) - (seeds - 1) * without


def _over_pairs(each: np.ndarray, pseudo_values: np.ndarray) -> Estimate:
    """The mean of each seed's, with the interval of the pseudo-values' mean, which is the same."""
    found = estimate(each)
    low, high = student(pseudo_values) if len(each) >= FEWEST else (None, None)
    return Estimate(mean=found["mean"], low=low, high=high, of_each_seed=found["of_each_seed"])
