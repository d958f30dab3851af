"""A picture of an hour: who supplied what, what is in the batteries, and how the day goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxmarl_comm.envs.microgrid.grids import CAPACITY, Grids
from jaxmarl_comm.envs.microgrid.profiles import yields

WIDTH, HEIGHT = 640, 480
SUPPLY = {"sun": "tab:orange", "wind": "tab:cyan", "generator": "tab:brown", "battery": "tab:green"}
OTHERS = "neighbours and feeder", "0.6"


def draw(grids: Grids, state: Any, title: str, names: Sequence[str]) -> np.ndarray:
    """`[480, 640, 3]` uint8.

    Above, stacked bars of each grid's supply in the hour that has passed, beside its demand (its load, and what its
    battery took) as a line, and what each battery holds; below, all net loads of the day, and what time it is.
    """
    figure = Figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    places = figure.add_gridspec(2, 2, width_ratios=(3, 1))
    supply, stored, course = (figure.add_subplot(place) for place in (places[0, 0], places[0, 1], places[1, :]))
    _supply(supply, grids, state, names)
    stored.bar(range(len(names)), np.asarray(state.energy) / CAPACITY, color=SUPPLY["battery"])
    stored.set(ylim=(0, 1), title="in the battery")
    _course(course, grids, state, names)
    figure.suptitle(title)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _supply(axes: Any, grids: Grids, state: Any, names: Sequence[str]) -> None:
    hour = max(int(state.t) - 1, 0)
    day, flows = state.day, state.flows
    load = np.asarray(day.load)[:, hour]
    powers = grids.sun * float(day.sun[hour]), grids.wind * float(day.wind[hour]), flows.generated, flows.discharge
    demand = load + np.asarray(flows.charge)
    below = np.zeros_like(load)
    for (name, colour), power in zip(SUPPLY.items(), powers, strict=True):
        axes.bar(names, np.asarray(power), bottom=below, color=colour, label=name)
        below = below + np.asarray(power)
    axes.bar(names, (demand - below).clip(0), bottom=below, color=OTHERS[1], label=OTHERS[0])
    axes.plot(names, demand, "k_", markersize=30, label="demand")
    axes.set(ylabel="MW", title="supply")
    axes.legend(fontsize=6)


def _course(axes: Any, grids: Grids, state: Any, names: Sequence[str]) -> None:
    day = state.day
    hours = np.arange(day.load.shape[-1])
    for name, course in zip(names, np.asarray(day.load - yields(grids, day)), strict=True):
        axes.step(hours, course, where="post", label=name)
    axes.axvline(int(state.t), color="0.3", linestyle=":")
    axes.set(xlabel="hour", ylabel="MW", title="load less sun and wind")
    axes.legend(fontsize=6)
