"""The least that a day can cost: the linear program over all grids together, by whoever knows the whole day beforehand.

No policy costs less on any day, whatever its agents know and tell each other. It is the least of the environment's own
cost, and played there, its plan costs as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm.envs.microgrid.grids import Grids
from jaxmarl_comm.envs.microgrid.profiles import Day
from jaxmarl_comm.envs.microgrid.program import Curve, Plan, cheapest
from jaxmarl_comm.envs.microgrid.settlement import Flows, Market, costs


class Days(NamedTuple):
    """E days in float64. energy: MWh at the start, `[E, N]`. net_load, forecast: MW, `[E, T, N]`. price: `[E, T]`."""

    energy: np.ndarray
    net_load: np.ndarray
    forecast: np.ndarray
    price: np.ndarray

    @classmethod
    def of(cls, grids: Grids, energy: Any, day: Day) -> Days:
        """Of states at the start, arrays with an axis `[E]` first."""
        load, sun, wind, forecast, price = (np.asarray(x, float) for x in day)
        hours = load.shape[-1]
        made = grids.sun[:, None] * sun[:, None] + grids.wind[:, None] * wind[:, None]
        net_load = (load - made).swapaxes(1, 2)
        return cls(np.asarray(energy, float), net_load, forecast[..., :hours].swapaxes(1, 2), price[:, :hours])

    def some(self, which: Any) -> Days:
        """Those of an index, or a slice."""
        return Days(*(x[which] for x in self))


def market_curve(market: Market, price: np.ndarray, limit: float | None = None) -> Curve:
    """What the power that a team draws costs it, in hours of these prices `[H]`; limit: the market's unless given."""
    breaks = np.broadcast_to(np.array([0.0, market.limit if limit is None else limit]), (len(price), 2))
    return Curve(breaks, np.stack([market.export_ratio * price, price, price + market.charge], axis=1))


def hindsight(grids: Grids, market: Market, day: Days) -> Plan:
    """The cheapest plan of one day, without an axis `[E]`."""
    curve = market_curve(market, day.price)
    return cheapest(grids, curve, day.energy, day.net_load.sum(axis=-1), market.energy_value)


def least_costs(
    grids: Grids, market: Market, days: Days, tell: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """`[E]`, $ of the team on each day. tell: is given how many are solved, before each."""
    found = np.empty(len(days.price))
    for k in range(len(found)):
        tell(k)
        found[k] = hindsight(grids, market, days.some(k)).cost
    return found


def team_costs(grids: Grids, market: Market, days: Days, flows: Flows) -> np.ndarray:
    """`[E]`, $ of the team, by the environment's settlement, under flows `[E, T, N]`."""
    return costs(grids, market, days.price, days.net_load, flows).sum(axis=(-2, -1))


def idle_costs(grids: Grids, market: Market, days: Days) -> np.ndarray:
    """`[E]`, $ of a team that uses neither batteries nor generators."""
    return team_costs(grids, market, days, Flows(*(np.zeros_like(days.net_load),) * 3))
