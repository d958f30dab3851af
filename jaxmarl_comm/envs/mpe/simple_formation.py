"""simple_formation_v1: N agents spread evenly on a circle around the landmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.places import TakePlaces
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState

RADIUS = 0.5


@dataclass(frozen=True, kw_only=True)
class SimpleFormation(TakePlaces):
    """The places are evenly spaced on a circle of radius 0.5 about the landmark. Arguments: see `TakePlaces`."""

    name = "simple_formation_v1"
    landmark_range = 0.5

    @cached_property
    def world(self) -> World:
        agent = Body(size=0.05, movable=True, collides=True)
        return World(agents=(agent,) * self.N, landmarks=(Body(size=0.03),))

    @property
    def ladder(self) -> Ladder | None:
        if not self.is_default("continuous_actions"):
            return None
        if self.continuous_actions:
            return Ladder(silent=None, oracle=-2.68, attainable=-2.68, attainable_success=1.0)
        return Ladder(silent=None, oracle=-3.25, attainable=-3.59, attainable_success=1.0)

    def posts(self, state: WorldState) -> Array:
        """`[N, 2]`: evenly spaced on the circle, from the smallest angle (in [0, 2π)) at which an agent stands."""
        first = jnp.min(angle(state.pos - state.landmarks[0]))
        angles = first + 2 * np.pi / self.N * np.arange(self.N)
        return state.landmarks[0] + RADIUS * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def angle(offset: Array) -> Array:
    """`[..., 2]` -> `[...]` angle in [0, 2π), 0 with gradient 0 for no offset at all."""
    somewhere = jnp.any(offset != 0, axis=-1)
    x, y = jnp.where(somewhere, offset[..., 0], 1.0), jnp.where(somewhere, offset[..., 1], 0.0)
    signed = jnp.arctan2(y, x)
    return jnp.where(signed < 0, signed + 2 * np.pi, signed)
