"""simple_formation_v1: N agents spread evenly on a circle around the landmark."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.assignment import assigned_costs
from jaxmarl_comm.envs.mpe.task import MPETask, check_counts, flat
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

RADIUS = 0.5
SUCCESS_DISTANCE = 0.05
MAX_PENALTY = 2.0


@dataclass(frozen=True, kw_only=True)
class SimpleFormation(MPETask):
    """All are paid for the mean distance (each at most 2) to their places, under the best assignment of places.

    N: number of agents. terminate_on_success: end the episode as soon as everyone is within 0.05 of a place.
    """

    N: int = 4
    terminate_on_success: bool = False

    name = "simple_formation_v1"
    landmark_range = 0.5

    def __post_init__(self) -> None:
        check_counts(1, N=self.N)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"agent_{k}" for k in range(self.N))

    @property
    def ends_early(self) -> bool:
        return self.terminate_on_success

    @cached_property
    def world(self) -> World:
        agent = Body(size=0.05, movable=True, collides=True)
        return World(agents=(agent,) * self.N, landmarks=(Body(size=0.03),))

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[6]: velocity 2, position 2, landmark relative to oneself 2."""
        to_landmark = flat(state.landmarks[None] - state.pos[:, None])
        return {"agent": jnp.concatenate([state.vel, state.pos, to_landmark], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        return jnp.full(self.N, -jnp.mean(jnp.minimum(self._distances(state), MAX_PENALTY)))

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: everyone is within 0.05 of a place of its own."""
        distances = self._distances(state)
        return {"success": jnp.all(distances < SUCCESS_DISTANCE), "distance": jnp.mean(distances)}

    def places(self, state: WorldState) -> Array:
        """`[N, 2]`: evenly spaced on the circle, from the smallest angle (in [0, 2π)) at which an agent stands."""
        first = jnp.min(angle(state.pos - state.landmarks[0]))
        angles = first + 2 * np.pi / self.N * np.arange(self.N)
        return state.landmarks[0] + RADIUS * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)

    def _distances(self, state: WorldState) -> Array:
        return assigned_costs(norm(state.pos[:, None] - self.places(state)[None]))


def angle(offset: Array) -> Array:
    """`[..., 2]` -> `[...]` angle in [0, 2π), 0 with gradient 0 for no offset at all."""
    somewhere = jnp.any(offset != 0, axis=-1)
    x, y = jnp.where(somewhere, offset[..., 0], 1.0), jnp.where(somewhere, offset[..., 1], 0.0)
    signed = jnp.arctan2(y, x)
    return jnp.where(signed < 0, signed + 2 * np.pi, signed)
