"""simple_line_v1: N agents line up evenly between two landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.assignment import assigned_costs
from jaxmarl_comm.envs.mpe.task import MPETask, check_counts, flat, uniform
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

LINE_LENGTH = 1.25
SUCCESS_DISTANCE = 0.05
MAX_PENALTY = 2.0


@dataclass(frozen=True, kw_only=True)
class SimpleLine(MPETask):
    """All are paid for the mean distance (each at most 2) to their places, under the best assignment of places.

    N: number of agents. terminate_on_success: end the episode as soon as everyone is within 0.05 of a place.
    """

    N: int = 4
    terminate_on_success: bool = False

    name = "simple_line_v1"

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

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[8]: velocity 2, position 2, landmarks relative to oneself 4."""
        to_landmarks = flat(state.landmarks[None] - state.pos[:, None])
        return {"agent": jnp.concatenate([state.vel, state.pos, to_landmarks], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        return jnp.full(self.N, -jnp.mean(jnp.minimum(self._distances(state), MAX_PENALTY)))

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: everyone is within 0.05 of a place of its own."""
        distances = self._distances(state)
        return {"success": jnp.all(distances < SUCCESS_DISTANCE), "distance": jnp.mean(distances)}

    def places(self, state: WorldState) -> Array:
        """`[N, 2]`: evenly spaced from one landmark to the other."""
        start, end = state.landmarks
        return start + (end - start) * np.linspace(0, 1, self.N)[:, None]

    def _distances(self, state: WorldState) -> Array:
        return assigned_costs(norm(state.pos[:, None] - self.places(state)[None]))
