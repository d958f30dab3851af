"""Yardsticks: teams that plan by the linear program, go by rules, or do nothing sensible.

A controller is asked hour by hour, and told no more than the day so far, forecasts and prices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jaxmarl_comm.envs.microgrid.grids import POWER, Grids
from jaxmarl_comm.envs.microgrid.optimum import Days, market_curve
from jaxmarl_comm.envs.microgrid.profiles import PERSISTENCE
from jaxmarl_comm.envs.microgrid.program import Curve, cheapest
from jaxmarl_comm.envs.microgrid.settlement import Flows, Market, within_reach

Setpoints = tuple[np.ndarray, np.ndarray]
"""MW that batteries are asked for, above 0 to charge, and that generators yield, `[N]` each."""
Controller = Callable[[Days, int, np.ndarray], Setpoints]
"""(one day, without an axis `[E]`; the hour; MWh in the batteries, `[N]`) -> what to do."""
QUANTILES = 7  # that stand for what others may draw
ROUNDS = 2


def play(days: Days, control: Controller) -> Flows:
    """`[E, T, N]` each: what the controller does, as far as batteries can."""
    found = Flows(*(np.zeros_like(days.net_load) for _ in Flows._fields))
    for k in range(len(days.price)):
        day, energy = days.some(k), days.energy[k]
        for hour in range(len(day.price)):
            power, generated = control(day, hour, energy)
            charge, discharge, energy = within_reach(energy, power)
            for of_all, now in zip(found, (charge, discharge, generated), strict=True):
                of_all[k, hour] = now
    return found


def idle(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
    """Nothing."""
    return np.zeros_like(energy), np.zeros_like(energy)


def at_random(grids: Grids, seed: int) -> Controller:
    """Any power, evenly."""
    chance = np.random.default_rng(seed)

    def control(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
        return chance.uniform(-POWER, POWER, len(energy)), grids.generator * chance.uniform(size=len(energy))

    return control


def rules(grids: Grids) -> Controller:
    """Each grid for itself: what it has too much of is stored, what it lacks in the dearest hours comes from the
    battery, and a generator runs while that is cheaper than to import.
    """

    def control(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
        net_load, price = day.net_load[hour], day.price[hour]
        is_dear = price == day.price.max()
        power = np.where(net_load < 0, -net_load, -net_load * is_dear)
        pieces = (grids.fuel < price).mean(axis=-1)
        return power, np.minimum(grids.generator * pieces, net_load.clip(0))

    return control


def expected(day: Days, hour: int) -> np.ndarray:
    """Net load of this and the later hours, `[T - hour, N]`, as it is to be expected in this one: the forecast, and
    that part of its present error which will be left (see `fluctuation`).
    """
    left = PERSISTENCE ** np.arange(len(day.price) - hour)
    return day.forecast[hour:] + left[:, None] * (day.net_load[hour] - day.forecast[hour])


def central(grids: Grids, market: Market) -> Controller:
    """Model predictive control by one who knows what all agents see: plans the rest of the day anew in each hour."""

    def control(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
        curve = market_curve(market, day.price[hour:])
        planned = cheapest(grids, curve, energy, expected(day, hour).sum(axis=-1), market.energy_value).flows
        return planned.charge[0] - planned.discharge[0], planned.generated[0]

    return control


def each_alone(grids: Grids, market: Market, curves: Callable[[np.ndarray], Sequence[Curve]]) -> Controller:
    """The same by each grid for itself, of its own load alone. curves: of prices, what its power costs each of them."""
    apart = [Grids(*(x[k : k + 1] for x in grids)) for k in range(len(grids.load))]

    def control(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
        wanted, generated = np.empty_like(energy), np.empty_like(energy)
        net_load = expected(day, hour)
        for k, (own, curve) in enumerate(zip(apart, curves(day.price), strict=True)):
            rest = curve.from_hour(hour)
            planned = cheapest(own, rest, energy[k : k + 1], net_load[:, k], market.energy_value).flows
            wanted[k] = planned.charge[0, 0] - planned.discharge[0, 0]
            generated[k] = planned.generated[0, 0]
        return wanted, generated

    return control


def selfish(grids: Grids, market: Market) -> Controller:
    """Each plans as if there were no neighbours, with its share of the feeder."""
    count = len(grids.load)
    return each_alone(grids, market, lambda price: [market_curve(market, price, market.limit / count)] * count)


def silent(grids: Grids, market: Market, days: Days) -> Controller:
    """Each plans for the least expected cost of the team, knowing its own load and what others draw on other days.

    A grid that is told nothing never learns what others draw today, so what its own power costs the team is, hour by
    hour, a mean over what they may draw. That is found on these days: all begin `selfish`, and then one after the other
    answers what the others do, ROUNDS times. Where no grid can do better alone, a team of convex costs can do hardly
    better together (Radner 1962, of static teams; what is planned anew each hour is no such team, so this is no bound).
    """
    count = len(grids.load)
    powers = _drawn(days, play(days, selfish(grids, market)))
    for k in [*range(count)] * ROUNDS:
        powers[..., k] = _drawn(days, play(days, _answering(grids, market, powers, k)))[..., k]
    return each_alone(grids, market, lambda price: [_shared_curve(market, price, powers, k) for k in range(count)])


def _answering(grids: Grids, market: Market, powers: np.ndarray, who: int) -> Controller:
    """What one does; the others rest."""
    own = Grids(*(x[who : who + 1] for x in grids))
    alone = each_alone(own, market, lambda price: [_shared_curve(market, price, powers, who)])

    def control(day: Days, hour: int, energy: np.ndarray) -> Setpoints:
        power, generated = np.zeros_like(energy), np.zeros_like(energy)
        only = day._replace(net_load=day.net_load[:, who : who + 1], forecast=day.forecast[:, who : who + 1])
        power[who : who + 1], generated[who : who + 1] = alone(only, hour, energy[who : who + 1])
        return power, generated

    return control


def _drawn(days: Days, flows: Flows) -> np.ndarray:
    """MW that each draws, `[E, T, N]`."""
    return days.net_load + flows.charge - flows.discharge - flows.generated


def _shared_curve(market: Market, price: np.ndarray, powers: np.ndarray, who: int) -> Curve:
    """What the power of one grid costs the team, where others draw what they drew on other days, `[E, T, N]`."""
    others = np.delete(powers, who, axis=-1).sum(axis=-1)
    may_be = np.quantile(others, (np.arange(QUANTILES) + 0.5) / QUANTILES, axis=0).T  # [T, QUANTILES]
    breaks = np.sort(np.concatenate([-may_be, market.limit - may_be], axis=1), axis=1)
    ends = breaks[:, :1] - 1, breaks[:, -1:] + 1
    inside = np.concatenate([ends[0], (breaks[:, 1:] + breaks[:, :-1]) / 2, ends[1]], axis=1)
    total = inside[..., None] + may_be[:, None]
    imports, beyond = (total > 0).mean(axis=-1), (total > market.limit).mean(axis=-1)
    by_share = market.export_ratio + (1 - market.export_ratio) * imports
    return Curve(breaks, price[:, None] * by_share + market.charge * beyond)
