"""Means with intervals, cut only to what is certain."""

from __future__ import annotations

from math import hypot
from typing import Any, NotRequired, TypedDict

import numpy as np

CONFIDENCE = 0.95
TAILS = (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE))  # percentiles at the interval's ends
RESAMPLES = 10_000
TRIMMED = 0.25  # at each end, of an interquartile mean
FEWEST_TRIMMED = 4  # seeds, of which an interquartile mean leaves any out
FEWEST = 5  # seeds, of which a bootstrap says anything
NO_BOUNDS = (-np.inf, np.inf)


def scipy_stats() -> Any:
    """It takes a second to import, which no command that only trains need wait for."""
    from scipy import stats

    return stats


class Estimate(TypedDict):
    """mean, and the ends of its 95 % interval; None where there is nothing to estimate from.

    of_each_seed: each seed's own mean, None where undefined; such seeds are left out of all else. With four seeds or
    more, their interquartile mean (Agarwal et al. 2021), which one bad seed does not move; its interval, by the
    percentile bootstrap, is None below five seeds, of which it covers 90 %, and nears 95 % only with more.
    """

    mean: float | None
    low: float | None
    high: float | None
    of_each_seed: list[float | None]
    iqm: NotRequired[float]
    iqm_low: NotRequired[float | None]
    iqm_high: NotRequired[float | None]


def estimate(values: np.ndarray, bounds: tuple[float, float] = NO_BOUNDS) -> Estimate:
    """Student's interval of the mean of `[seeds]` independent values, cut to the bounds of what is possible.

    The true mean lies within the bounds, so what is cut off can never have held it: cutting costs no coverage.
    """
    values = np.asarray(values, float)
    each = [float(x) if np.isfinite(x) else None for x in values]
    known = values[np.isfinite(values)]
    found = Estimate(mean=float(known.mean()) if known.size else None, low=None, high=None, of_each_seed=each)
    if known.size > 1:
        found["low"], found["high"] = cut(student(known), float(known.mean()), bounds)
    if known.size >= FEWEST_TRIMMED:
        found["iqm"] = float(scipy_stats().trim_mean(known, TRIMMED))
        found["iqm_low"], found["iqm_high"] = bootstrap(known) if known.size >= FEWEST else (None, None)
    return found


def over_seeds(values: np.ndarray, least: float = -np.inf) -> Estimate:
    """Estimate from `[seeds, episodes]`: over seeds, each seed's mean being one value; over episodes if one seed.

    least: what no episode can be below. Returns have no bound that is certain: an oracle that learns goals a step late
    is beaten by a team that hears them within the step.
    """
    values = np.asarray(values, float)
    if values.size == 0:
        return estimate(np.full(len(values), np.nan))
    found = estimate(values.mean(axis=1), (least, np.inf))
    if len(values) == 1 and found["mean"] is not None and values.size > 1:
        found["low"], found["high"] = cut(student(values[0]), found["mean"], (least, np.inf))
    return found


def rate_over_seeds(values: np.ndarray) -> Estimate:
    """The same of `[seeds, episodes]` zeros and ones: never outside 0 to 1.

    Of one seed, Wilson's (1927) interval over its episodes. Of several, from the lower to the higher ends of Student's
    over seeds and Wilson's over all their episodes: seeds that agree, at 100 % or elsewhere, are not certain for that.
    """
    values = np.asarray(values, float)
    if values.size == 0:
        return estimate(np.full(len(values), np.nan))
    found = estimate(values.mean(axis=1), (0.0, 1.0))
    known = known_seeds(values)
    if not known.size:
        return found
    low, high = wilson(int(known.sum()), known.size)
    if len(values) == 1:
        found["low"], found["high"] = low, high
    elif found["low"] is not None and found["high"] is not None:
        found["low"], found["high"] = min(found["low"], low), max(found["high"], high)
    return found


def difference(ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """How much better ours are, from `[seeds, episodes]` each, of the same episodes.

    Welch's (1947) interval over seeds; where either has but one seed, over episodes, paired. Seeds without a value are
    left out. of_each_seed: of our seeds, each less the mean of theirs.
    """
    each = np.asarray(ours, float).mean(axis=1)
    ours, theirs = known_seeds(ours), known_seeds(theirs)
    if not (ours.size and theirs.size):
        return estimate(np.full(len(each), np.nan))
    mean = float(ours.mean() - theirs.mean())
    of_each_seed = [float(x - theirs.mean()) if np.isfinite(x) else None for x in each]
    found = Estimate(mean=mean, low=None, high=None, of_each_seed=of_each_seed)
    if min(len(ours), len(theirs)) > 1:
        found["low"], found["high"] = welch(ours.mean(axis=1), theirs.mean(axis=1))
    elif ours.shape[1] > 1:
        found["low"], found["high"] = student(ours.mean(axis=0) - theirs.mean(axis=0))
    return found


def rate_difference(ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """The same of zeros and ones, within -1 to 1: also as wide as Newcombe's (1998) interval over all episodes.

    Two rates that are 0, or 1, for all seeds are not certain for that: see `rate_over_seeds`.
    """
    found = difference(ours, theirs)
    if (mean := found["mean"]) is None or found["low"] is None or found["high"] is None:
        return found
    rates = [(float(known.mean()), wilson(int(known.sum()), known.size)) for known in map(known_seeds, (ours, theirs))]
    (our, (our_low, our_high)), (their, (their_low, their_high)) = rates
    low, high = mean - hypot(our - our_low, their_high - their), mean + hypot(our_high - our, their - their_low)
    found["low"], found["high"] = cut((min(found["low"], low), max(found["high"], high)), mean, (-1.0, 1.0))
    return found


def known_seeds(values: np.ndarray) -> np.ndarray:
    """Those of `[seeds, episodes]` that have a value in every episode."""
    values = np.asarray(values, float)
    return values[np.isfinite(values).all(axis=1)]


def without_intervals(found: Any) -> Any:
    """Estimates, however nested, with no interval of their mean, as where seeds differ in kind: a mean of two kinds
    describes none of them."""
    if not isinstance(found, dict):
        return found
    bare = {name: without_intervals(value) for name, value in found.items()}
    return bare | {"low": None, "high": None} if "of_each_seed" in found else bare


def cut(interval: tuple[float, float], mean: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """The part of an interval within bounds; never without its own mean, which rounding may put past them."""
    low, high = np.clip(interval, *bounds)
    return min(float(low), mean), max(float(high), mean)


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a rate (Wilson 1927)."""
    interval = scipy_stats().binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def student(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean of `[n]` independent values, n > 1 (Student 1908)."""
    half = scipy_stats().t.ppf(TAILS[1] / 100, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return float(values.mean() - half), float(values.mean() + half)


def welch(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """95 % interval of the difference of two means, of `[n]` and `[m]` independent values of different spreads."""
    variances = np.array([x.var(ddof=1) / x.size for x in (ours, theirs)])
    centre, total = ours.mean() - theirs.mean(), variances.sum()
    if total == 0:
        return float(centre), float(centre)
    freedom = total**2 / (variances**2 / (np.array([ours.size, theirs.size]) - 1)).sum()
    half = scipy_stats().t.ppf(TAILS[1] / 100, freedom) * np.sqrt(total)
    return float(centre - half), float(centre + half)


def bootstrap(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of the interquartile mean of `[n]` values by the percentile bootstrap, always the same."""
    draws = np.random.default_rng(0).choice(values, (RESAMPLES, values.size))
    low, high = np.percentile(scipy_stats().trim_mean(draws, TRIMMED, axis=1), TAILS)
    return float(low), float(high)
