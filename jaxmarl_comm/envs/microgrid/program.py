"""The linear program: how batteries and generators cost least, once loads and prices are known or guessed.

Of each of G grids and H hours there are charge, discharge, each piece of a generator's power and the energy after the
hour; of each hour, the power that all together draw, cut in pieces of rising cost. All costs are convex and piecewise
linear, so this is the environment's cost exactly. Nobody charges and discharges at once where that is cheapest: it
would lose energy that costs something (prices are above 0), and wear batteries.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm.envs.microgrid.grids import CAPACITY, EFFICIENCY, NUM_PIECES, POWER, WEAR, Grids
from jaxmarl_comm.envs.microgrid.settlement import Flows

OWN = 3 + NUM_PIECES  # variables of a grid in an hour: charge, discharge, pieces of generation, energy


class Curve(NamedTuple):
    """What power costs in each of H hours, $/MWh, rising: `slopes` `[H, B + 1]` below, between and above `breaks` `[H,
    B]`, which are MW. At the first of them it costs nothing.
    """

    breaks: np.ndarray
    slopes: np.ndarray

    def from_hour(self, hour: int) -> Curve:
        """That of the rest of the day."""
        return Curve(self.breaks[hour:], self.slopes[hour:])


class Plan(NamedTuple):
    """The cheapest flows, `[H, G]` each, and what they cost, in $."""

    flows: Flows
    cost: float


def cheapest(grids: Grids, curve: Curve, energy: np.ndarray, net_load: np.ndarray, energy_value: float) -> Plan:
    """Solved by HiGHS, in float64.

    energy: MWh stored at the start, `[G]`. net_load: MW of all together, `[H]`. energy_value: $/MWh of what is stored
    at the end, more or less than at the start.
    """
    from scipy.optimize import linprog  # takes long to import

    (hours, num_breaks), count = curve.breaks.shape, len(energy)
    cost = np.zeros((hours, count * OWN + num_breaks + 1))
    least, most = np.zeros_like(cost), np.full_like(cost, np.inf)
    of_grids = (x[:, : count * OWN].reshape(hours, count, OWN) for x in (cost, most))
    own_cost, own_most = of_grids
    own_cost[..., :2] = WEAR
    own_cost[..., 2:-1] = grids.fuel
    own_cost[-1, :, -1] = -energy_value
    own_most[..., :2] = POWER
    own_most[..., 2:-1] = grids.generator[:, None] / NUM_PIECES
    own_most[..., -1] = CAPACITY
    drawn = slice(count * OWN, None)
    cost[:, drawn] = curve.slopes
    least[:, count * OWN], most[:, count * OWN] = -np.inf, 0
    most[:, count * OWN + 1 : -1] = np.diff(curve.breaks, axis=1)
    right = np.zeros((hours, count + 1))
    right[0, :count] = -energy
    right[:, count] = curve.breaks[:, 0] - net_load
    bounds = np.stack([least.ravel(), most.ravel()], axis=1)
    solve: Any = linprog  # whose stubs know no sparse arrays
    found = solve(
        cost.ravel(), A_eq=equations(hours, count, num_breaks + 1), b_eq=right.ravel(), bounds=bounds, method="highs-ds"
    )
    own = found.x.reshape(hours, -1)[:, : count * OWN].reshape(hours, count, OWN)
    flows = Flows(own[..., 0], own[..., 1], own[..., 2:-1].sum(axis=-1))
    return Plan(flows, float(found.fun + energy_value * energy.sum()))


@lru_cache(maxsize=64)
def equations(hours: int, count: int, num_pieces: int) -> Any:
    """The left sides, sparse: of each hour, each battery's energy and what is added; then the power balance."""
    from scipy.sparse import coo_array

    width, entries = count * OWN + num_pieces, []
    for hour in range(hours):
        balance = hour * (count + 1) + count
        for grid in range(count):
            stored, first = hour * (count + 1) + grid, hour * width + grid * OWN
            entries += [
                (stored, first, EFFICIENCY),
                (stored, first + 1, -1 / EFFICIENCY),
                (stored, first + OWN - 1, -1),
            ]
            entries += [(stored, first - width + OWN - 1, 1)] if hour else []
            entries += [(balance, first, 1), *((balance, first + k, -1) for k in range(1, OWN - 1))]
        entries += [(balance, hour * width + count * OWN + k, -1) for k in range(num_pieces)]
    rows, columns, values = zip(*entries, strict=True)
    return coo_array((values, (rows, columns)), shape=(hours * (count + 1), hours * width), dtype=float).tocsc()
