"""microgrid_v0: neighbours behind one feeder, who each know their own load alone, keep the cost of a day low."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import ActionSpace, Array, Env, TimeStep
from jaxmarl_comm.envs.chance import chances
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.microgrid.grids import CAPACITY, POWER, Grids, grids
from jaxmarl_comm.envs.microgrid.optimum import Days
from jaxmarl_comm.envs.microgrid.profiles import (
    LOW,
    MIDDLE,
    SHIFT_HOURS,
    SHIFT_STARTS,
    Day,
    Price,
    made_up,
    read,
)
from jaxmarl_comm.envs.microgrid.readings import DAY, Readings, read_csv
from jaxmarl_comm.envs.microgrid.saving import shares
from jaxmarl_comm.envs.microgrid.settlement import Flows, Market, costs, within_reach
from jaxmarl_comm.suggest import shown

SCALE = 100.0  # $ of a reward of -1
LIMIT_PER_GRID = 0.4  # MW of the feeder
MOST_GRIDS = 100


class MicrogridState(NamedTuple):
    """energy: MWh in each battery, `[N]`. charge, discharge, generated: `Flows` of the hour before, `[N]` each.

    load, sun, wind, forecast, price: the whole `Day`. t: `[]`, hours since midnight.
    """

    energy: Array
    charge: Array
    discharge: Array
    generated: Array
    load: Array
    sun: Array
    wind: Array
    forecast: Array
    price: Array
    t: Array

    @property
    def day(self) -> Day:
        return Day(self.load, self.sun, self.wind, self.forecast, self.price)

    @property
    def flows(self) -> Flows:
        return Flows(self.charge, self.discharge, self.generated)


@dataclass(frozen=True, kw_only=True)
class Microgrid(Env):
    """Grids with a battery and a generator each, which decide every hour how to use them; a reward of -1 is 100 $.

    num_grids: how many. price: of imports, by the time of use (`tou`), always the same (`flat`), or of each hour anew
    (`rt`). weather: loads, sun, wind and shifts of every day anew (`random`), or one mean day, from random batteries
    (`fixed`). profiles: a CSV file to take days from (see `read_csv`); its price, not `price`, counts. feeder_limit: MW
    that all may import together, 0.4 for each grid unless given; feeder_charge: $/MWh beyond that, beside the price.
    export_ratio: of the price, what exports earn. generators: whether there are any. levels: of power, that discrete
    actions choose from. penalty: $/MWh that a battery was asked for, but had not, or had no room for. obs_forecast:
    hours ahead of which agents see prices and a forecast of their own net load.
    """

    max_cycles: int = DAY
    num_grids: int = 3
    price: Price = "tou"
    weather: Literal["random", "fixed"] = "random"
    profiles: str | None = None
    feeder_limit: float | None = None
    feeder_charge: float = 400.0
    export_ratio: float = 0.3
    generators: bool = True
    levels: int = 5
    penalty: float = 0.0
    obs_forecast: int = 12

    name = "microgrid_v0"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("num_grids", 1, MOST_GRIDS),
            ("feeder_limit", 0, 1e6),
            ("feeder_charge", 0, 1e6),
            ("export_ratio", 0, 1),
            ("levels", 3, 101),
            ("penalty", 0, 1e6),
            ("obs_forecast", 0, DAY),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is {shown(value)}, but must be at least {least:g} and at most {most:g}")
        if self.levels % 2 == 0:
            raise ValueError(f"levels is {self.levels}, but must be odd, so that a battery can rest")
        _ = self.readings  # so that what is wrong with a file is said at once

    @cached_property
    def readings(self) -> Readings | None:
        """What `profiles` says. Raises ConfigError."""
        return None if self.profiles is None else read_csv(self.profiles, self.num_grids, self.max_cycles)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"grid_{k}" for k in range(self.num_grids))

    @cached_property
    def grids(self) -> Grids:
        """What each owns."""
        return grids(self.num_grids, self.generators)

    @cached_property
    def market(self) -> Market:
        """Terms of trade. Stored energy is booked at the lowest price, so that to store it is no profit by itself."""
        limit = LIMIT_PER_GRID * self.num_grids if self.feeder_limit is None else self.feeder_limit
        lowest = MIDDLE if self.price == "flat" else LOW
        value = lowest if self.readings is None else float(self.readings.price.min())
        return Market(limit, self.feeder_charge, self.export_ratio, value)

    @cached_property
    def action_spaces(self) -> dict[str, ActionSpace]:
        size = 1 if self.continuous_actions else self.levels
        return {"grid": ActionSpace((("battery", size), ("generator", size)), self.continuous_actions)}

    @cached_property
    def obs_dims(self) -> dict[str, int]:
        return {"grid": 8 + self.own_sizes.shape[1] + 2 * self.obs_forecast}

    @cached_property
    def own_sizes(self) -> np.ndarray:
        """`[N, 5]`: of load and plants in MW, and how dear the first quarter of a generator's power is."""
        own = self.grids
        return np.stack([own.load, own.sun, own.wind, own.generator, own.fuel[:, 0] / SCALE], axis=-1)

    @property
    def state_axes(self) -> MicrogridState:
        each = dict.fromkeys(MicrogridState._fields, 0)
        return MicrogridState(**each | {"t": None})  # type: ignore[arg-type]

    def reset(self, key: Array) -> tuple[MicrogridState, TimeStep]:
        day_key, energy_key = jax.random.split(key)
        (full,) = chances(energy_key, [(self.num_grids,)])
        energy = CAPACITY * full
        still = Flows(*(jnp.zeros_like(energy) for _ in Flows._fields))
        chosen = still._asdict() | self.draw(day_key)._asdict()
        state = MicrogridState(energy=energy, **chosen, t=jnp.zeros((), jnp.int32))
        return state, self._time_step(state, jnp.zeros_like(energy))

    def draw(self, key: Array) -> Day:
        """A day, with `obs_forecast` hours after it. The key is consumed."""
        random = self.weather == "random"
        if self.readings is not None:
            day = read(key, self.grids, self.max_cycles, self.readings, random)
        else:
            day = made_up(key, self.grids, self.max_cycles, self.price, random)
        beyond = (0, self.obs_forecast)
        return day._replace(forecast=jnp.pad(day.forecast, ((0, 0), beyond)), price=jnp.pad(day.price, beyond))

    def step(self, key: Array, state: MicrogridState, actions: dict[str, Array]) -> tuple[MicrogridState, TimeStep]:
        """See `Env.step`. Nothing is left to chance: the key is not used."""
        self.check_actions(actions)
        asked, generated = self.setpoints(actions["grid"])
        charge, discharge, energy = within_reach(state.energy, asked)
        flows = Flows(charge, discharge, generated)
        paid = costs(self.grids, self.market, state.price[state.t], self.net_load(state), flows)
        missed = jnp.abs(asked - (charge - discharge))
        state = state._replace(energy=energy, **flows._asdict(), t=state.t + 1)
        return state, self._time_step(state, -(paid + self.penalty * missed) / SCALE)

    def setpoints(self, actions: Array) -> tuple[Array, Array]:
        """MW that batteries are asked to take (below 0: to give), and that generators yield, `[..., N]` each.

        A battery's levels lie evenly from full power out to full power in, a generator's from 0 to all. Under `jit`,
        where numbers cannot be checked, they are clipped to what they may be.
        """
        chosen = self.action_spaces["grid"].split(actions)
        shares = {
            name: (x[..., 0] if self.continuous_actions else x / (self.levels - 1)).clip(0, 1)
            for name, x in chosen.items()
        }
        return POWER * (2 * shares["battery"] - 1), shares["generator"] * jnp.asarray(self.grids.generator, float)

    def net_load(self, state: MicrogridState) -> Array:
        """MW in this hour, `[N]`: what sun and wind leave to be met."""
        day, now = state.day, state.t
        return day.load[:, now] - self.grids.sun * day.sun[now] - self.grids.wind * day.wind[now]

    def _time_step(self, state: MicrogridState, reward: Array) -> TimeStep:
        truncated = state.t >= self.max_cycles
        return TimeStep(self.observe(state), reward, jnp.zeros_like(truncated), truncated)

    def observe(self, state: MicrogridState) -> dict[str, Array]:
        """Of each grid, and of nobody else's: energy in its battery, load, sun and wind in MW; its sizes; a forecast of
        net load for `obs_forecast` hours. Of all: sine and cosine of the hour, share of the day that is over, price,
        and prices of the hours ahead. Prices are in 100 $/MWh; beyond the end of the day there are zeros.
        """
        day, hours = state.day, self.obs_forecast
        now, later = jnp.minimum(state.t, self.max_cycles - 1), state.t + 1
        angle = 2 * np.pi * state.t / DAY
        clock = jnp.stack([jnp.sin(angle), jnp.cos(angle), state.t / self.max_cycles])
        prices = jax.lax.dynamic_slice_in_dim(day.price, later, hours)
        sun, wind = (jnp.asarray(x) for x in (self.grids.sun * day.sun[now], self.grids.wind * day.wind[now]))
        parts = [
            jnp.stack([state.energy, day.load[:, now], sun, wind], axis=-1),
            jnp.asarray(self.own_sizes, float),
            jax.lax.dynamic_slice_in_dim(day.forecast, later, hours, axis=-1),
            self._each(jnp.concatenate([clock, day.price[now][None] / SCALE, prices / SCALE])),
        ]
        return {"grid": jnp.concatenate(parts, axis=-1)}

    def _each(self, common: Array) -> Array:
        return jnp.broadcast_to(common, (self.num_grids, *common.shape))

    def world_state(self, state: MicrogridState) -> Array:
        """The whole day, as it was foretold and as it will be, and what batteries and generators do."""
        clock = jax.nn.one_hot(state.t, self.max_cycles + 1)
        ahead = state._replace(price=state.price / SCALE)[:-1]
        return jnp.concatenate([*(x.ravel() for x in ahead), clock])

    @property
    def num_goals(self) -> int:
        return len(SHIFT_STARTS) if self.weather == "random" else 0

    def goals(self, state: MicrogridState) -> Array:
        """When a grid's shift works; of readings, in which of these hours its load is highest."""
        if not self.num_goals:
            return super().goals(state)
        at_work = [state.day.load[:, start : start + SHIFT_HOURS].sum(axis=-1) for start in SHIFT_STARTS]
        return jnp.argmax(jnp.stack(at_work), axis=0)

    @property
    def measures(self) -> dict[str, float]:
        """cost: $ of the team in a day, of which a return is the mean over grids."""
        return {"cost": -SCALE * self.num_grids}

    def judge(self, starts: MicrogridState, returns: np.ndarray) -> dict[str, np.ndarray]:
        """share_of_saving: see `shares`."""
        days = Days.of(self.grids, starts.energy, starts.day)
        found = shares(self.grids, self.market, days, self.measures["cost"] * returns[..., 0])
        return {"share_of_saving": found}

    def render(self, state: MicrogridState) -> np.ndarray:
        """`[480, 640, 3]` uint8."""
        from jaxmarl_comm.envs.microgrid.picture import draw  # matplotlib takes long to import

        return draw(self.grids, state, f"{self.name}, hour {int(state.t)}", self.agents)

    @property
    def ladder(self) -> Ladder | None:
        """silent: of grids that plan for themselves (`silent`), the best found; oracle: of the least costs, a bound."""
        return Ladder(silent=-15.16, oracle=-13.35) if self.is_default("continuous_actions") else None
