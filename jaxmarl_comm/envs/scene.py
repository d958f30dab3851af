"""What is to be seen of an environment, for whoever draws it."""

from __future__ import annotations

from typing import NamedTuple

AGENT, LANDMARK, OBSTACLE = "agent", "landmark", "obstacle"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # what words are shown as


class Shape(NamedTuple):
    """A body, drawn as a circle. kind: AGENT, LANDMARK or OBSTACLE. label: an agent's id. size: its radius."""

    kind: str
    label: str
    size: float
