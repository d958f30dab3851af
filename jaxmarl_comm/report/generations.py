"""How populations evolved: as a table of one generation, and as a picture of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxmarl_comm.evolution_config import KINDS
from jaxmarl_comm.report.figure import COLOURS, blank, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from jaxmarl_comm.config import Config

Row = Mapping[str, Any]
KIND_COLOURS = dict(zip(KINDS, ("0.75", *COLOURS[:4]), strict=True))
SHOWN = 8  # members of a table
WIDTH = 4  # panels side by side
MEMBER = "member/"


def generation_table(cfg: Config, row: Row) -> str:
    """The fittest members of each population at a generation: their fitness and what they are like; who has heirs.

    Where selection goes by the mean of several generations, so does the table, and tells it.
    """
    lines, several = [], "fitness_mean" in row
    size, names = cfg.evolution.population_size, measures_of(cfg, row)
    for seed in range(cfg.num_seeds):
        of_seed = slice(seed * size, (seed + 1) * size)
        fitness = numbers(row["fitness"])[of_seed]
        rank = numbers(row["fitness_mean"])[of_seed] if several else fitness
        heading = ["member", "fitness", *["mean"] * several, *(name.removeprefix(MEMBER) for name in names), "heirs"]
        table = [heading]
        heirs = np.bincount([int(x) for x in row["parent"][of_seed]], minlength=size) if "parent" in row else None
        for place in np.argsort(-np.nan_to_num(rank, nan=-np.inf), kind="stable")[:SHOWN]:
            like = [of_member(cfg, name, numbers(row[name])[of_seed][place]) for name in names]
            found = [fitness[place], *[rank[place]] * several]
            table.append([str(place), *(f"{x:.2f}" for x in found), *like, "-" if heirs is None else str(heirs[place])])
        if cfg.num_seeds > 1:
            lines.append(f"  population {seed}:")
        widths = [max(len(line[k]) for line in table) for k in range(len(heading))]
        lines += ["  " + "  ".join(f"{x:>{w}}" for x, w in zip(line, widths, strict=True)) for line in table]
        if size > SHOWN:
            lines.append(f"  and {size - SHOWN} more, down to {np.nanmin(fitness):.2f}")
    return "\n".join(lines)


def measures_of(cfg: Config, row: Row) -> list[str]:
    """Names of what a row tells of members: hyperparameters as in the config, then what networks have come to."""
    in_order = [*cfg.evolution.ranges_of(cfg), "width", "layers", "activation"]
    return [name for measure in in_order if (name := MEMBER + measure) in row]


def of_member(cfg: Config, name: str, value: float) -> str:
    """What a member is like, in few letters."""
    if name == f"{MEMBER}activation":
        return activations_of(cfg)[int(value)]
    return f"{value:.3g}"


def activations_of(cfg: Config) -> tuple[str, ...]:
    """What evolution may choose from, in the order of their numbers: of the first group."""
    net = next(iter(cfg.nets(cfg.make_env().groups).values()))
    return net.start.activations if net.start else ()


def plot_generations(cfg: Config, rows: Sequence[Row], path: Path) -> None:
    """Fitness with the lines of descent, and the paths of what members are like, of each population.

    A line joins a member to its parent; its colour tells the kind of mutation. The picture is a PNG at `path`, with an
    SVG beside it. Raises RunError.
    """
    generations = [row for row in rows if "fitness" in row]
    if not generations:
        return
    measures = ["fitness", *measures_of(cfg, generations[-1])]
    height, size = ceil(len(measures) / WIDTH), cfg.evolution.population_size
    figure = blank(3.6 * WIDTH, 2.6 * height * cfg.num_seeds + 0.9)
    axes = figure.subplots(height * cfg.num_seeds, WIDTH, squeeze=False).reshape(cfg.num_seeds, -1)
    for seed in range(cfg.num_seeds):
        for axis in axes[seed, len(measures) :]:
            axis.set_axis_off()
        for axis, measure in zip(axes[seed], measures, strict=False):
            _draw_descent(axis, generations, measure, slice(seed * size, (seed + 1) * size))
            _label(cfg, axis, measure, seed)
    handles = [_line(colour, kind.replace("_", " ")) for kind, colour in KIND_COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)
    figure.suptitle(f"{cfg.algorithm} on {cfg.env.name}: descent; the way to the fittest is drawn bold")
    save(figure, path)


def _label(cfg: Config, axis: Axes, measure: str, seed: int) -> None:
    name = measure.removeprefix(MEMBER)
    axis.set_title(name + (f", population {seed}" if cfg.num_seeds > 1 else ""), fontsize=10)
    axis.set_xlabel("million environment steps per member", fontsize=8)
    low, high = cfg.evolution.ranges_of(cfg).get(name, (1.0, 1.0))
    if high / low > 10:
        axis.set_yscale("log")
    if name == "activation":
        names = activations_of(cfg)
        axis.set_yticks(range(len(names)), names)


def _draw_descent(axis: Axes, rows: Sequence[Row], measure: str, of_seed: slice) -> None:
    """A line from each member to its parent, of the kind's colour; the ancestry of the fittest bold, at the end."""
    steps = [row["env_steps"] / 1e6 for row in rows]
    values = [numbers(row[measure])[of_seed] for row in rows]
    final = numbers(rows[-1].get("fitness_mean", rows[-1]["fitness"]))[of_seed]
    chosen = int(np.nanargmax(final)) if np.isfinite(final).any() else -1
    for k in range(len(rows) - 1, 0, -1):
        parents = [int(x) for x in numbers(rows[k - 1].get("parent", [0] * 0))[of_seed]] or list(range(len(final)))
        kinds = numbers(rows[k - 1].get("mutation", []))[of_seed]
        for place, parent in enumerate(parents):
            colour = KIND_COLOURS[KINDS[int(kinds[place])]] if len(kinds) else KIND_COLOURS["none"]
            axis.plot(
                steps[k - 1 : k + 1],
                [values[k - 1][parent], values[k][place]],
                color=colour,
                linewidth=2.4 if place == chosen else 0.8,
                zorder=3 if place == chosen else 1,
            )
        chosen = parents[chosen] if chosen >= 0 else -1
    axis.grid(alpha=0.3)
    if measure == "fitness":
        _zoom(axis, np.concatenate(values))


def _zoom(axis: Axes, values: np.ndarray) -> None:
    """To where the better half is: a member that fell apart would hide all others."""
    known = values[np.isfinite(values)]
    if known.size:
        low, high = np.quantile(known, 0.25), known.max()
        margin = 0.1 * (high - low) or 1.0
        axis.set_ylim(low - margin, high + margin)


def _line(colour: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, label=label)


def numbers(values: Sequence[float | None]) -> np.ndarray:
    """With NaN for what is not known."""
    return np.array([np.nan if x is None else x for x in values], float)
