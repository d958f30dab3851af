"""simple_line_v1: N agents line up evenly between two landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.places import TakePlaces
from jaxmarl_comm.envs.mpe.task import uniform
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState

LINE_LENGTH = 1.25


@dataclass(frozen=True, kw_only=True)
class SimpleLine(TakePlaces):
    """The places are evenly spaced from one landmark to the other. Arguments: see `TakePlaces`."""

    name = "simple_line_v1"

    @cached_property
    def world(self) -> World:
        agent = Body(size=0.03, movable=True, collides=True)
        return World(agents=(agent,) * self.N, landmarks=(Body(size=0.02),) * 2)

    def draw(self, key: Array) -> WorldState:
        """The first landmark lies in [-0.25, 0.25)², the second 1.25 from it in a random direction, in (-1, 1)².

        A direction that leads outside is turned by 5 degrees until it does not.
        """
        agents_key, centre_key, angle_key = jax.random.split(key, 3)
        state = super().draw(agents_key)
        centre = uniform(centre_key, (2,), 0.25)
        angle = jax.random.uniform(angle_key, (), float, 0, 2 * np.pi)
        angles = angle + np.radians(np.arange(0, 360, 5))
        ends = centre + LINE_LENGTH * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)
        first_inside = jnp.argmax(jnp.all(jnp.abs(ends) < 1.0, axis=-1))
        return state._replace(landmarks=jnp.stack([centre, ends[first_inside]]))

    @property
    def ladder(self) -> Ladder | None:
        if not self.is_default("continuous_actions"):
            return None
        if self.continuous_actions:
            return Ladder(silent=None, oracle=-3.89, attainable=-3.89, attainable_success=1.0)
        return Ladder(silent=None, oracle=-4.63, attainable=-4.97, attainable_success=1.0)

    def posts(self, state: WorldState) -> Array:
        """`[N, 2]`: evenly spaced from one landmark to the other."""
        start, end = state.landmarks
        return start + (end - start) * np.linspace(0, 1, self.N)[:, None]
