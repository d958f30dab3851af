"""The rungs of microgrid_v0: what a day costs those who know it beforehand, and those who know less."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import jax
import numpy as np

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.microgrid.controllers import at_random, central, play, rules, selfish, silent
from jaxmarl_comm.envs.microgrid.optimum import Days, idle_costs, least_costs, team_costs
from jaxmarl_comm.envs.microgrid.task import SCALE, Microgrid
from jaxmarl_comm.ladders.estimate import Mean, mean_over_starts

TASK = "microgrid_v0"
MANY = 2**14  # days whose features are averaged
SOLVED = 1_000  # days whose least costs are known; those of others are told by what they are above these
LEARNED_FROM = 60  # days from which silent grids know what others draw
TOLERANCE = 0.05  # of a return, beside three standard errors: numbers in the code are rounded


def compute(num_days: int, seed: int) -> Iterator[str]:
    """Print the table as it grows; in what `Env.ladder` differs. Costs are in $, of the team."""
    env = make_env(TASK)
    assert isinstance(env, Microgrid)
    here, many = draw(env, seed, num_days), features(env, draw(env, seed + 1, MANY))
    seen, idle, least = features(env, here), idle_costs(env.grids, env.market, here), np.zeros(0)
    print(f"{TASK:28}{'cost of a day':>20}{'return':>17}{'share of saving':>19}{'days':>8}")
    known = draw(env, seed + 3, SOLVED)
    lowest = mean_over_starts(least_costs(env.grids, env.market, known), features(env, known), many)
    found = {}
    for name, costs in rungs(env, here, draw(env, seed + 2, LEARNED_FROM)):
        least = costs if name == "least" else least
        above = mean_over_starts(costs - least, seen, many)
        by_least = Mean(lowest.value + above.value, float(np.hypot(lowest.error, above.error)))
        mean = min(by_least, mean_over_starts(costs, seen, many), key=lambda known: known.error)
        found[name] = Mean(mean.value / env.measures["cost"], mean.error / SCALE / env.num_grids)
        share = ratio(idle - costs, idle - least)
        cost, reached = f"{mean.value:9,.0f} ± {mean.error:.0f}", f"{share.value:.3f} ± {share.error:.3f}"
        returned = f"{found[name].value:.2f} ± {found[name].error:.2f}"
        print(f"  {name:26}{cost:>20}{returned:>17}{reached:>19}{num_days:8,}", flush=True)
    yield from differences(env, found)


def ratio(part: np.ndarray, whole: np.ndarray) -> Mean:
    """Of two means of `[E]` (ratio estimator; Cochran 1977, chapter 6)."""
    share = part.mean() / whole.mean()
    rest = part - share * whole
    return Mean(float(share), float(rest.std(ddof=1) / np.sqrt(len(part)) / whole.mean()))


def rungs(env: Microgrid, here: Days, others: Days) -> Iterator[tuple[str, np.ndarray]]:
    """(who, $ of the team on each day `[E]`), from the cheapest to the dearest. others: to learn from, not judged."""
    grids, market = env.grids, env.market
    _tell("the least costs")
    yield "least", least_costs(grids, market, here)
    controllers = {
        "central": lambda: central(grids, market),
        "silent": lambda: silent(grids, market, others),
        "selfish": lambda: selfish(grids, market),
        "rules": lambda: rules(grids),
    }
    for name, make in controllers.items():
        _tell(name)
        yield name, team_costs(grids, market, here, play(here, make()))
    yield "idle", idle_costs(grids, market, here)
    yield "random", team_costs(grids, market, here, play(here, at_random(grids, 0)))


def draw(env: Microgrid, seed: int, count: int) -> Days:
    """So many days, from midnight."""
    state, _ = jax.jit(Batch(env, count).reset)(jax.random.key(seed))
    return Days.of(env.grids, state.energy, state.day)


def features(env: Microgrid, days: Days) -> np.ndarray:
    """`[E, F]`: of each day, what tells most of its cost: what it costs an idle team, and where that comes from."""
    drawn = days.net_load.sum(axis=-1)
    beyond = (drawn - env.market.limit).clip(0)
    parts = idle_costs(env.grids, env.market, days), drawn.sum(axis=1), days.energy.sum(axis=1), beyond.sum(axis=1)
    return np.stack([*parts, (beyond**2).sum(axis=1), beyond.max(axis=1), (beyond > 0).sum(axis=1)], axis=1)


def differences(env: Microgrid, found: dict[str, Mean]) -> Iterator[str]:
    """Each rung of `Env.ladder` that is another than was found, in words."""
    for rung, name in (("silent", "silent"), ("oracle", "least")):
        said, mean = getattr(env.ladder, rung), found[name]
        if not abs(said - mean.value) <= 3 * mean.error + TOLERANCE:
            yield f"{TASK}, {rung}: {said}, computed: {mean.value:.3f} ± {mean.error:.3f}"


def _tell(what: str) -> None:
    """Beside the table, for whoever watches."""
    print(f"{TASK}: {what}", file=sys.stderr, flush=True)
