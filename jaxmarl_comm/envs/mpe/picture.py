"""A picture of an MPE world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from jaxmarl_comm.envs.mpe.world import World, WorldState
from jaxmarl_comm.envs.scene import ALPHABET

PIXELS = 480
ARENA = 1.5  # half the width of the picture, unless an agent is farther out
TEAM_COLOURS = ("tab:blue", "tab:red")
OBSTACLE_COLOUR = "0.35"
LANDMARK_COLOURS = ("tab:green", "tab:orange", "tab:purple", "tab:olive", "tab:cyan", "tab:pink")


def draw(cast: World, state: WorldState, title: str, names: Sequence[str], teams: Sequence[int]) -> np.ndarray:
    """`[480, 480, 3]` uint8: agents in the colours of their teams, numbered landmarks, obstacles grey, last words.

    names, teams: of the agents.
    """
    figure = Figure(figsize=(PIXELS / 100, PIXELS / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    pos, landmarks = np.asarray(state.pos), np.asarray(state.landmarks)
    edge = max(ARENA, float(np.abs(pos).max()) + 0.2)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(), yticks=(), aspect="equal")

    for number, (body, place) in enumerate(zip(cast.landmarks, landmarks, strict=True)):
        colour = OBSTACLE_COLOUR if body.collides else LANDMARK_COLOURS[number % len(LANDMARK_COLOURS)]
        axes.add_patch(Circle(place, body.size, color=colour, alpha=0.4, linewidth=0, zorder=1 - body.size))
        axes.text(place[0], place[1], str(number), ha="center", va="center", fontsize=7, clip_on=True)
    for name, body, team, place in zip(names, cast.agents, teams, pos, strict=True):
        axes.add_patch(Circle(place, body.size, facecolor=TEAM_COLOURS[team], edgecolor="black", alpha=0.8, zorder=2))
        axes.text(place[0], place[1] + body.size, name, ha="center", va="bottom", fontsize=6, zorder=3)

    lines = [title, *_words(cast, names, np.asarray(state.say))]
    axes.text(0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", family="monospace", fontsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _words(cast: World, names: Sequence[str], say: np.ndarray) -> list[str]:
    """What each speaking agent said: a letter, or numbers if it is none, or _ for nothing."""
    lines = []
    for name, body, word in zip(names, cast.agents, say, strict=True):
        if body.speaks:
            is_letter = np.count_nonzero(word) == 1 and word.max() == 1
            said = ALPHABET[int(word.argmax())] if is_letter else " ".join(f"{x:.1f}" for x in word)
            lines.append(f"{name} says {said if np.any(word) else '_'}")
    return lines
