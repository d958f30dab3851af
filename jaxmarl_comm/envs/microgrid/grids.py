"""What grids own: sizes of loads, plants, batteries and generators, and what using them costs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NUM_PIECES = 4  # of a generator's cost
CAPACITY = 1.0  # MWh that can be taken from a full battery
POWER = 0.5  # MW, into a battery or out of it, before losses
EFFICIENCY = 0.95  # of charging, and of discharging
WEAR = 5.0  # $ for each MWh that goes into a battery or comes out

# Of three kinds of grids, which take turns: a town with panels on its roofs, a village by the sea, a plant.
LOAD = (0.3, 0.25, 0.3)  # MW on average, without the shift
SHIFT = (1.2, 1.2, 1.2)  # MW more while it works
SUN = (0.25, 0.05, 0.1)  # MW of the plant
WIND = (0.05, 0.25, 0.1)
GENERATOR = (0.3, 0.3, 0.3)
FUEL = ((120.0, 160.0, 200.0, 240.0), (150.0, 190.0, 230.0, 270.0), (180.0, 220.0, 260.0, 300.0))  # $/MWh, by piece


class Grids(NamedTuple):
    """Of N grids, in MW, `[N]` each, and fuel: `[N, NUM_PIECES]`, $/MWh, rising.

    A generator's cost is piecewise linear, as heat-rate curves are in unit commitment: each quarter of its power costs
    more than the one before. So a linear program has the very cost of the environment, without a gap.
    """

    load: np.ndarray
    shift: np.ndarray
    sun: np.ndarray
    wind: np.ndarray
    generator: np.ndarray
    fuel: np.ndarray


def grids(count: int, with_generators: bool) -> Grids:
    """So many grids; without generators, theirs have no power."""
    kinds = np.arange(count) % len(LOAD)
    load, shift, sun, wind, generator, fuel = (np.array(x)[kinds] for x in (LOAD, SHIFT, SUN, WIND, GENERATOR, FUEL))
    return Grids(load, shift, sun, wind, generator * with_generators, fuel)
