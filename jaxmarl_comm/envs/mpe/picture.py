"""A picture of an MPE world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from jaxmarl_comm.envs.mpe.world import WorldState

if TYPE_CHECKING:
    from jaxmarl_comm.envs.mpe.task import MPETask

PIXELS = 480
ARENA = 1.5  # half the width of the picture, unless an agent is farther out
TEAM_COLOURS = ("tab:blue", "tab:red")
OBSTACLE_COLOUR = "0.35"
LANDMARK_COLOURS = ("tab:green", "tab:orange", "tab:purple", "tab:olive", "tab:cyan", "tab:pink")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def draw(env: MPETask, state: WorldState) -> np.ndarray:
    """`[480, 480, 3]` uint8: agents in the colours of their teams, numbered landmarks, obstacles grey, last words."""
    figure = Figure(figsize=(PIXELS / 100, PIXELS / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    pos, landmarks = np.asarray(state.pos), np.asarray(state.landmarks)
    edge = max(ARENA, float(np.abs(pos).max()) + 0.2)
    axes.set(xlim=(-edge, edge), ylim=(-edge, edge), xticks=(), yticks=(), aspect="equal")

    for number, (body, place) in enumerate(zip(env.world.landmarks, landmarks, strict=True)):
        colour = OBSTACLE_COLOUR if body.collides else LANDMARK_COLOURS[number % len(LANDMARK_COLOURS)]
        axes.add_patch(Circle(place, body.size, color=colour, alpha=0.4, linewidth=0, zorder=1 - body.size))
        axes.text(place[0], place[1], str(number), ha="center", va="center", fontsize=7, clip_on=True)
    for agent, body, team, place in zip(env.agents, env.world.agents, env.teams, pos, strict=True):
        axes.add_patch(Circle(place, body.size, facecolor=TEAM_COLOURS[team], edgecolor="black", alpha=0.8, zorder=2))
        axes.text(place[0], place[1] + body.size, agent, ha="center", va="bottom", fontsize=6, zorder=3)

    lines = [f"{env.name}, step {int(state.t)}", *_words(env, np.asarray(state.say))]
    axes.text(0.02, 0.98, "\n".join(lines), transform=axes.transAxes, va="top", family="monospace", fontsize=8)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _words(env: MPETask, say: np.ndarray) -> list[str]:
    """What each speaking agent said: a letter, or numbers if it is none, or _ for nothing."""
    lines = []
    for agent, body, word in zip(env.agents, env.world.agents, say, strict=True):
        if body.speaks:
            is_letter = np.count_nonzero(word) == 1 and word.max() == 1
            said = ALPHABET[int(word.argmax())] if is_letter else " ".join(f"{x:.1f}" for x in word)
            lines.append(f"{agent} says {said if np.any(word) else '_'}")
    return lines
