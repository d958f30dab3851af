"""What an hour does to batteries, and who pays what for it.

Everything is written with the arrays' own methods, so that it is the same in jax's float32 and in numpy's float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxmarl_comm.envs.microgrid.grids import CAPACITY, EFFICIENCY, NUM_PIECES, POWER, WEAR, Grids

NOTHING = 1e-9  # MW; shares of less are nobody's


class Market(NamedTuple):
    """Terms of trade. limit: MW that the feeder carries for nothing. charge: $/MWh beyond it, beside the price.

    export_ratio: of the price, what exports earn. energy_value: $/MWh at which stored energy is booked.
    """

    limit: float
    charge: float
    export_ratio: float
    energy_value: float


class Flows(NamedTuple):
    """MW in an hour, `[..., N]` each: into the batteries, out of them, and from the generators."""

    charge: Any
    discharge: Any
    generated: Any


def within_reach(energy: Any, power: Any) -> tuple[Any, Any, Any]:
    """(charge, discharge, energy after the hour), of what batteries can do when asked for `power`.

    energy: MWh `[..., N]`. power: MW, above 0 to charge; what does not fit, or is not there, is left out.
    """
    charge = power.clip(0, POWER).clip(max=(CAPACITY - energy) / EFFICIENCY)
    discharge = (-power).clip(0, POWER).clip(max=energy * EFFICIENCY)
    after = energy + EFFICIENCY * charge - discharge / EFFICIENCY
    return charge, discharge, after.clip(0, CAPACITY)


def fuel_cost(grids: Grids, generated: Any) -> Any:
    """$ in an hour, `[..., N]`: each quarter of a generator's power costs more than the one before."""
    cost = grids.fuel[:, 0] * generated
    for piece in range(1, NUM_PIECES):
        dearer = grids.fuel[:, piece] - grids.fuel[:, piece - 1]
        cost = cost + dearer * (generated - grids.generator * piece / NUM_PIECES).clip(0)
    return cost


def costs(grids: Grids, market: Market, price: Any, net_load: Any, flows: Flows) -> Any:
    """$ of each grid in an hour, `[..., N]`, whose sum is what the team pays: see `Market` and the parts below.

    price: $/MWh `[...]`. net_load: MW `[..., N]`, load less sun and wind. Surplus first goes to grids that lack power,
    at the mean of what it would earn and what they would pay; the team imports or exports the rest. Whoever lacks pays
    for imports, and for what goes beyond the limit, by how much it lacks; whoever has earns of exports by how much it
    has.
    """
    balance = net_load + flows.charge - flows.discharge - flows.generated
    lack, surplus = balance.clip(0), (-balance).clip(0)
    all_lack, all_surplus = lack.sum(-1), surplus.sum(-1)
    imported, exported = (all_lack - all_surplus).clip(0), (all_surplus - all_lack).clip(0)
    traded, earned = all_lack - imported, market.export_ratio * price
    between = traded * (price + earned) / 2
    to_pay = imported * price + between + (imported - market.limit).clip(0) * market.charge
    to_earn = exported * earned + between
    shares = (
        lack * (to_pay / all_lack.clip(NOTHING))[..., None] - surplus * (to_earn / all_surplus.clip(NOTHING))[..., None]
    )
    return shares + fuel_cost(grids, flows.generated) + battery_cost(market, flows.charge, flows.discharge)


def battery_cost(market: Market, charge: Any, discharge: Any) -> Any:
    """$ in an hour, `[..., N]`: wear, and the change of what is stored, which is booked at `energy_value`.

    So a battery need not be empty at the end of the day: what is left in it is worth as much as what was in it before.
    """
    taken = discharge / EFFICIENCY - charge * EFFICIENCY
    return WEAR * (charge + discharge) + market.energy_value * taken
