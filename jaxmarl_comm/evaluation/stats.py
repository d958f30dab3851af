"""Means with intervals that hold nothing impossible."""

from __future__ import annotations

from typing import NotRequired, TypedDict

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
TAILS = (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE))  # percentiles at the interval's ends
RESAMPLES = 10_000
TRIMMED = 0.25  # at each end, of an interquartile mean
NO_BOUNDS = (-np.inf, np.inf)


class Estimate(TypedDict):
    """mean, and the ends of its 95 % interval; None where there is nothing to estimate from.

    of_each_seed: each seed's own mean, None where undefined; such seeds are left out of all else. With several seeds,
    their interquartile mean with its 95 % interval (Agarwal et al. 2021), which one bad seed does not move.
    """

    mean: float | None
    low: float | None
    high: float | None
    of_each_seed: list[float | None]
    iqm: NotRequired[float]
    iqm_low: NotRequired[float]
    iqm_high: NotRequired[float]


def estimate(values: np.ndarray, bounds: tuple[float, float] = NO_BOUNDS) -> Estimate:
    """Student's interval of the mean of `[seeds]` independent values, cut to the bounds of what is possible.

    The true mean lies within the bounds, so what is cut off can never have held it: cutting costs no coverage.
    """
    values = np.asarray(values, float)
    each = [float(x) if np.isfinite(x) else None for x in values]
    known = values[np.isfinite(values)]
    if known.size == 0:
        return Estimate(mean=None, low=None, high=None, of_each_seed=each)
    if known.size == 1:
        return Estimate(mean=float(known[0]), low=None, high=None, of_each_seed=each)
    low, high = np.clip(student(known), *bounds)
    iqm, (iqm_low, iqm_high) = interquartile_mean(known)
    return Estimate(
        mean=float(known.mean()),
        low=float(low),
        high=float(high),
        of_each_seed=each,
        iqm=iqm,
        iqm_low=iqm_low,
        iqm_high=iqm_high,
    )


def over_seeds(values: np.ndarray, least: float = -np.inf, most: float = np.inf) -> Estimate:
    """Estimate from `[seeds, episodes]`: over seeds, each seed's mean being one value; over episodes if one seed.

    least, most: bounds of what can be expected of any team, e.g. an oracle's return; the first holds in every episode.
    """
    values = np.asarray(values, float)
    if values.size == 0:
        return estimate(np.full(len(values), np.nan))
    found = estimate(values.mean(axis=1), (least, most + _luck(values)))
    if len(values) == 1 and found["mean"] is not None and values.size > 1:
        found["low"], found["high"] = student(values[0])
    return found


def rate_over_seeds(values: np.ndarray) -> Estimate:
    """The same of `[seeds, episodes]` zeros and ones: never outside 0 to 1; of one seed, Wilson's (1927) interval."""
    values = np.asarray(values, float)
    if values.size == 0:
        return estimate(np.full(len(values), np.nan))
    found = estimate(values.mean(axis=1), (0.0, 1.0))
    if len(values) == 1 and found["mean"] is not None:
        interval = stats.binomtest(int(values.sum()), values.size).proportion_ci(CONFIDENCE, method="wilson")
        found["low"], found["high"] = interval.low, interval.high
    return found


def difference(ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """How much better ours are, from `[seeds, episodes]` each, of the same episodes.

    Welch's (1947) interval over seeds; where either has but one seed, over episodes, paired. of_each_seed: of our
    seeds, each less the mean of theirs.
    """
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    each = ours.mean(axis=1) - theirs.mean()
    found = Estimate(mean=float(each.mean()), low=None, high=None, of_each_seed=each.tolist())
    if not np.isfinite(each).all():
        return estimate(each)
    if min(len(ours), len(theirs)) > 1:
        found["low"], found["high"] = welch(ours.mean(axis=1), theirs.mean(axis=1))
    elif ours.shape[1] > 1:
        found["low"], found["high"] = student(ours.mean(axis=0) - theirs.mean(axis=0))
    return found


def student(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of `[n]` independent values, n > 1 (Student 1908)."""
    half = stats.t.ppf(TAILS[1] / 100, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean() - half), float(values.mean() + half)


def welch(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """95 % interval of the difference of two means, of `[n]` and `[m]` independent values of different spreads."""
    variances = np.array([x.var(ddof=1) / x.size for x in (ours, theirs)])
    centre, total = ours.mean() - theirs.mean(), variances.sum()
    if total == 0:
        return float(centre), float(centre)
    freedom = total**2 / (variances**2 / (np.array([ours.size, theirs.size]) - 1)).sum()
    half = stats.t.ppf(TAILS[1] / 100, freedom) * np.sqrt(total)
    return float(centre - half), float(centre + half)


def interquartile_mean(values: np.ndarray) -> tuple[float, tuple[float, float]]:
    """(mean of the middle half of `[n]` values, its 95 % interval by the percentile bootstrap), always the same."""
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, values.size))
    low, high = np.percentile(stats.trim_mean(draws, TRIMMED, axis=1), TAILS)
    return float(stats.trim_mean(values, TRIMMED)), (float(low), float(high))


def _luck(values: np.ndarray) -> float:
    """How far a mean over these episodes, which all seeds share, may lie above its expectation: 3 standard errors."""
    if values.shape[1] == 1:
        return np.inf
    spreads = values.std(axis=1, ddof=1)
    return float(3 * spreads.max(initial=0.0, where=np.isfinite(spreads)) / np.sqrt(values.shape[1]))
