"""A film as a GIF, for slides and web pages: one episode, as it is and, side by side, muted and shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from jaxmarl_comm.envs.scene import AGENT, OBSTACLE
from jaxmarl_comm.film.shoot import Film
from jaxmarl_comm.report.figure import COLOURS, blank

SHOWN = "median"  # of the episodes of a film
MILLISECONDS = 300  # of a frame; the last one stays for longer
INCHES, DOTS = 3.2, 100  # of a take, per inch
MARGIN = 0.3  # about all places
LINE = 0.08  # height of what is said


def gif(film: Film) -> bytes:
    """The file: a frame for each step, from the start on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    episode = next(each for each in film["episodes"] if each["name"] == SHOWN)
    takes, limits = episode["takes"], _limits(episode)
    figure, frames = blank(INCHES * len(takes), INCHES + 0.5), []
    figure.set_dpi(DOTS)
    axes = np.atleast_1d(figure.subplots(1, len(takes)))
    for step in range(max(len(take["places"]) for take in takes)):
        for axis, take in zip(axes, takes, strict=True):
            _draw(axis, film, episode["targets"], take, min(step, len(take["places"]) - 1), limits)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").quantize(64))
    content = BytesIO()
    times = [MILLISECONDS] * (len(frames) - 1) + [5 * MILLISECONDS]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=times, loop=0)
    return content.getvalue()


def _limits(episode: dict[str, Any]) -> tuple[float, float, float, float]:
    """left, right, bottom, top of all that is to be seen in an episode, as wide as high."""
    places = [place for take in episode["takes"] for places in take["places"] for place in places if None not in place]
    low, high = np.min(places, axis=0), np.max(places, axis=0)
    middle, half = (low + high) / 2, max(high - low) / 2 + MARGIN
    return middle[0] - half, middle[0] + half, middle[1] - half, middle[1] + half


def _draw(axis: Any, film: Film, targets: Sequence[Any], take: dict[str, Any], step: int, limits: Any) -> None:
    """One take at one step: bodies, the places where agents ought to be, trails, and what has just been said."""
    from matplotlib.patches import Circle

    axis.clear()
    axis.set(xlim=limits[:2], ylim=limits[2:], aspect="equal", xticks=[], yticks=[])
    returned = ", ".join("-" if x is None else f"{x:.2f}" for x in take["returns"])
    axis.set_title(f"{take['name']}: return {returned}\nstep {step}", fontsize=9)
    for body, (shape, place) in enumerate(zip(film["scene"], take["places"][step], strict=True)):
        if None in place:
            continue
        if shape["kind"] != AGENT:
            axis.add_patch(Circle(place, shape["size"], color="0.4" if shape["kind"] == OBSTACLE else "0.75"))
            axis.text(*place, shape["label"], ha="center", va="center", fontsize=7)
            continue
        n = film["agents"].index(shape["label"])
        colour = COLOURS[n % len(COLOURS)]
        trail = [places[body] for places in take["places"][: step + 1] if None not in places[body]]
        axis.plot(*np.transpose(trail), color=colour, alpha=0.5, linewidth=1)
        axis.add_patch(Circle(place, shape["size"], facecolor=colour, edgecolor="black"))
        if None not in targets[n]:
            axis.add_patch(Circle(targets[n], 0.1 + 0.03 * n, fill=False, edgecolor=colour, linestyle="--"))
        if step and n in film["speakers"]:
            said = take["messages"][step - 1][film["speakers"].index(n)]
            above = (
                place[0],
                place[1] + shape["size"] + LINE * (1 + film["speakers"].index(n)),
            )  # of each, its own line
            size = 10 if isinstance(said, str) else 6
            axis.text(*above, _said(said), ha="center", va="bottom", fontsize=size, color=colour)


def _said(message: Any) -> str:
    """A word in quotation marks, the first of a message's numbers, or nothing."""
    if message is None:
        return ""
    if isinstance(message, str):
        return f"“{message}”"
    return " ".join("?" if x is None else f"{x:.1f}" for x in message[:4]).replace("-", "\N{MINUS SIGN}")
