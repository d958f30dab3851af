"""What share of the possible saving a team makes, day by day."""

from __future__ import annotations

import numpy as np

from jaxmarl_comm.envs.microgrid.grids import Grids
from jaxmarl_comm.envs.microgrid.optimum import Days, idle_costs, least_costs
from jaxmarl_comm.envs.microgrid.settlement import Market

NOTHING = 1e-6  # of the least cost; less is rounding
JUDGED = 1_000  # days that are solved: each takes a hundredth of a second


def shares(grids: Grids, market: Market, days: Days, costs: np.ndarray) -> np.ndarray:
    """`[S, E]`: what was saved on each day, by the mean of what could have been; NaN from the day JUDGED on.

    costs: $ of the team `[S, E]`. Their mean over days is (idle - cost) / (idle - least), of means: 0 as an idle team,
    1 as one that knew every day beforehand. Of single days, of which some leave nothing to be saved, it would mean
    little; where none leaves anything, it is NaN.
    """
    judged = days.some(slice(JUDGED))
    idle, least = idle_costs(grids, market, judged), least_costs(grids, market, judged)
    found, possible = np.full(costs.shape, np.nan), (idle - least).mean()
    if possible > NOTHING * abs(least).mean():
        found[:, :JUDGED] = (idle - costs[:, :JUDGED]) / possible
    return found
