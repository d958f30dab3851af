"""Means with intervals."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from scipy import stats


class Estimate(TypedDict):
    """mean, and the ends of its 95 % interval; None where there is nothing to estimate from."""

    mean: float | None
    low: float | None
    high: float | None


def estimate(values: np.ndarray) -> Estimate:
    """95 % Student interval of the mean of `[n]` independent values: seeds, or episodes if there is but one seed."""
    values = np.asarray(values, float).ravel()
    if values.size == 0 or not np.isfinite(values).all():
        return Estimate(mean=None, low=None, high=None)
    mean = float(values.mean())
    if values.size == 1:
        return Estimate(mean=mean, low=None, high=None)
    half = float(stats.t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size))
    return Estimate(mean=mean, low=mean - half, high=mean + half)


def over_seeds(values: np.ndarray) -> Estimate:
    """Estimate from `[seeds, episodes]`: over seeds, each seed's mean being one value; over episodes if one seed."""
    values = np.asarray(values, float)
    if values.size == 0:
        return estimate(values)
    return estimate(values[0] if len(values) == 1 else values.mean(axis=1))
