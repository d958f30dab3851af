"""A day of loads, sun, wind and prices, drawn from a key: made up, or out of somebody's readings."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.chance import chances
from jaxmarl_comm.envs.microgrid.grids import Grids
from jaxmarl_comm.envs.microgrid.readings import DAY, Readings

Array = jax.Array
Price = Literal["tou", "flat", "rt"]

SHIFT_STARTS = (8, 12, 16)  # hours at which heavy work may begin, for SHIFT_HOURS
SHIFT_HOURS = 4
LEVEL = (0.8, 1.2)  # of a grid's other load, from day to day
SUNNY, WINDY = (0.4, 1.0), (0.1, 0.9)  # of what plants could yield, from day to day, everywhere alike
FLUCTUATION = 0.05  # standard deviation of a load about what was forecast, as a share of it
PERSISTENCE = 0.7  # of that from hour to hour
LOW, MIDDLE, PEAK = 80.0, 110.0, 140.0  # $/MWh
RATES = (0.5, 2.0)  # of `tou` prices, between which those of `rt` lie


class Day(NamedTuple):
    """T hours, and H more that nobody sees the end of. load: MW `[N, T]`. sun, wind: `[T]`, of the plants' power.

    forecast: of load less sun and wind, made before the day, MW `[N, T + H]`, and price: $/MWh `[T + H]`, both with
    zeros after the end, so that whoever looks H hours ahead need not know where the day ends.
    """

    load: Array
    sun: Array
    wind: Array
    forecast: Array
    price: Array


def yields(grids: Grids, day: Day) -> Array:
    """MW of all plants, `[N, T]`."""
    return grids.sun[:, None] * day.sun + grids.wind[:, None] * day.wind


def made_up(key: Array, grids: Grids, hours: int, price: Price, random: bool) -> Day:
    """A day out of nothing, with H = 0. The key is consumed.

    Each grid has an everyday load with a morning and an evening hump, and somewhere in the day a shift of heavy work.
    When it works, and how high the rest is, is drawn for each; sun and wind for all. random: False gives the same mean
    day each time, on which the grids' shifts follow each other. Loads fluctuate about what was forecast, as
    `fluctuation` says.

    All is sums of a few courses of the day: products of matrices, with what is dear to compute once for each day.
    """
    count, hour = len(grids.load), np.arange(hours) % DAY
    shapes = [(count,), (count,), (3,), (count, hours), (hours if price == "rt" else 0,)]
    levels, shifts, weather, waves, rates = chances(key, shapes)
    if not random:
        one_by_one = jnp.arange(count) % len(SHIFT_STARTS) + 0.5
        levels, shifts, weather = jnp.full(count, 0.5), one_by_one / len(SHIFT_STARTS), jnp.full(3, 0.5)
    begins = jnp.floor(shifts * len(SHIFT_STARTS))[:, None] == np.arange(len(SHIFT_STARTS))
    of_loads = jnp.concatenate([(grids.load * between(levels, LEVEL))[:, None], grids.shift[:, None] * begins], axis=1)
    sunny, windy = between(weather[0], SUNNY), between(weather[1], WINDY) / 1.5
    turned = 2 * np.pi * weather[2]
    of_wind = windy * jnp.stack([jnp.ones(()), 0.5 * jnp.cos(turned), -0.5 * jnp.sin(turned)])
    of_yields = jnp.concatenate([grids.sun[:, None] * sunny, grids.wind[:, None] * of_wind], axis=1)

    loads, skies, winds = load_courses(hour), clear_sky(hour)[None], wind_courses(hour)
    expected = weighted(of_loads, loads)
    load = expected * (1 + fluctuation(waves)) if random else expected
    forecast = weighted(jnp.concatenate([of_loads, -of_yields], axis=1), np.concatenate([loads, skies, winds]))
    return Day(load, weighted(sunny[None], skies), weighted(of_wind, winds), forecast, prices(hour, price, rates))


def read(key: Array, grids: Grids, hours: int, readings: Readings, random: bool) -> Day:
    """A day out of readings, beginning at a midnight; of which, if not random, the first. H = 0. The key is consumed.

    What was read is what happens; a random day's forecast misses it as a made up day's does.
    """
    which, waves = chances(key, [(), (len(grids.load), hours)])
    midnights = (len(readings.price) - hours) // DAY + 1
    first = DAY * jnp.floor(which * midnights).astype(int) if random else 0
    load, sun, wind, price = (
        jax.lax.dynamic_slice_in_dim(jnp.asarray(x, float), first, hours, axis=-1)
        for x in (readings.load, readings.sun, readings.wind, readings.price)
    )
    missed = fluctuation(waves) if random else 0.0
    day = Day(load, sun, wind, load, price)
    return day._replace(forecast=load / (1 + missed) - yields(grids, day))


def fluctuation(chance: Array) -> Array:
    """`[N, T]`: a stationary autoregressive process of first order about 0, of numbers `[N, T]` uniform in 0 to 1.

    What is to be expected of a later hour is what there is now, times PERSISTENCE for each hour between.
    """
    hours = chance.shape[-1]
    ages = np.arange(hours) - np.arange(hours)[:, None]
    weights = np.where(ages >= 0, PERSISTENCE ** np.maximum(ages, 0), 0.0)
    weights[1:] *= np.sqrt(1 - PERSISTENCE**2)
    pushes = np.sqrt(12) * (chance - 0.5)  # of variance 1
    return FLUCTUATION * weighted(pushes, weights)


def weighted(weights: Array, courses: np.ndarray) -> Array:
    """Sums `[..., T]` of courses `[K, T]` with weights `[..., K]`; in full precision, also where that is slower."""
    return jnp.matmul(weights, jnp.asarray(courses, float), precision="highest")


def load_courses(hour: np.ndarray) -> np.ndarray:
    """`[1 + 3, T]`: the everyday load, and for each hour at which a shift may begin, 1 while it works."""
    at_work = [(hour >= begin) & (hour < begin + SHIFT_HOURS) for begin in SHIFT_STARTS]
    return np.stack([everyday(hour), *at_work])


def wind_courses(hour: np.ndarray) -> np.ndarray:
    """`[3, T]`: sums of these are a mean with a wave about it, once a day, whose crest is at any hour."""
    angle = 2 * np.pi * hour / DAY
    return np.stack([np.ones(hour.shape), np.sin(angle), np.cos(angle)])


def everyday(hour: np.ndarray) -> np.ndarray:
    """Of hours of the day: a load's course, with humps at 8 and 19 h, 1 on average."""
    return 0.73 + 0.35 * np.exp(-(((hour - 8) / 3) ** 2)) + 0.7 * np.exp(-(((hour - 19) / 3.5) ** 2))


def clear_sky(hour: np.ndarray) -> np.ndarray:
    """Of hours of the day: what a panel yields of its power, from sunrise at 6 to sunset at 18 h."""
    return np.maximum(np.sin(np.pi * (hour - 6) / 12), 0.0)


def prices(hour: np.ndarray, kind: Price, rates: Array) -> Array:
    """`[T]` $/MWh, all known a day ahead. tou: by the time of use, low at night and highest in the evening; flat:
    always the middle; rt: `tou` times a rate of each hour, of which `rates` `[T]` are the logarithms, uniform in 0 to
    1.
    """
    if kind == "flat":
        return jnp.full(hour.shape, MIDDLE)
    by_hour = np.select([(hour < 7) | (hour >= 23), (hour >= 17) & (hour < 21)], [LOW, PEAK], MIDDLE)
    if kind == "tou":
        return jnp.asarray(by_hour, float)
    return jnp.asarray(by_hour, float) * jnp.exp(between(rates, (float(np.log(RATES[0])), float(np.log(RATES[1])))))


def between(share: Array, ends: tuple[float, float]) -> Array:
    """0 and 1 are the ends."""
    return ends[0] + share * (ends[1] - ends[0])
