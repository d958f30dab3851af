"""What belongs to a team, estimated and named for each: `success`, or `success_good` and `success_adversary`."""

from __future__ import annotations

from typing import Any

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.evaluation.stats import NO_BOUNDS, Estimate, difference, over_seeds, rate_over_seeds


def returns_of(env: Env, returns: Any, measure: str = "return") -> dict[str, Estimate]:
    """From `[seeds, episodes, T]`."""
    return {name: over_seeds(returns[..., team]) for team, name in enumerate(env.per_team(measure))}


def successes_of(env: Env, success: Any) -> dict[str, Estimate]:
    """From `[seeds, episodes, T]`, NaN where undefined."""
    return {name: rate_over_seeds(success[..., team]) for team, name in enumerate(env.per_team("success"))}


def differences_of(
    env: Env, ours: Any, theirs: Any, measure: str, bounds: tuple[float, float] = NO_BOUNDS
) -> dict[str, Estimate]:
    """Ours less theirs, from `[seeds, episodes, T]` each, of the same episodes, cut to what is possible."""
    names = env.per_team(measure)
    return {name: difference(ours[..., team], theirs[..., team], bounds) for team, name in enumerate(names)}
