"""What belongs to a team, estimated and named for each: `success`, or `success_good` and `success_adversary`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.evaluation.stats import Estimate, difference, over_seeds, rate_over_seeds


def returns_of(env: Env, returns: Any, measure: str = "return") -> dict[str, Estimate]:
    """From `[seeds, episodes, T]`."""
    return {name: over_seeds(returns[..., team]) for team, name in enumerate(env.per_team(measure))}


def successes_of(env: Env, success: Any) -> dict[str, Estimate]:
    """From `[seeds, episodes, T]`, NaN where undefined."""
    return {name: rate_over_seeds(success[..., team]) for team, name in enumerate(env.per_team("success"))}


def differences_of(
    env: Env, ours: Any, theirs: Any, measure: str, less: Callable[..., Estimate] = difference
) -> dict[str, Estimate]:
    """Ours less theirs, from `[seeds, episodes, T]` each, of the same episodes. less: what tells the difference."""
    names = env.per_team(measure)
    return {name: less(ours[..., team], theirs[..., team]) for team, name in enumerate(names)}
