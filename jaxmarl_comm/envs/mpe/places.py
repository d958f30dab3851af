"""What simple_line and simple_formation share: agents take places, it does not matter who takes which."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.assignment import assigned_costs
from jaxmarl_comm.envs.mpe.task import MPETask, check_counts, flat
from jaxmarl_comm.envs.mpe.world import WorldState, norm

SUCCESS_DISTANCE = 0.05
MAX_PENALTY = 2.0


@dataclass(frozen=True, kw_only=True)
class TakePlaces(MPETask):
    """All are paid for the mean distance (each at most 2) to their places, under the best assignment of places.

    N: number of agents. terminate_on_success: end the episode as soon as everyone is within 0.05 of a place.
    """

    N: int = 4
    terminate_on_success: bool = False

    def __post_init__(self) -> None:
        check_counts(1, N=self.N)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"agent_{k}" for k in range(self.N))

    @property
    def ends_early(self) -> bool:
        return self.terminate_on_success

    @abstractmethod
    def posts(self, state: WorldState) -> Array:
        """`[N, 2]`: the places to be taken."""

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[4 + 2L]: velocity 2, position 2, the L landmarks relative to oneself."""
        to_landmarks = flat(state.landmarks[None] - state.pos[:, None])
        return {"agent": jnp.concatenate([state.vel, state.pos, to_landmarks], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        return jnp.full(self.N, -jnp.mean(jnp.minimum(self._distances(state), MAX_PENALTY)))

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: everyone is within 0.05 of a place of its own."""
        distances = self._distances(state)
        return {"success": jnp.all(distances < SUCCESS_DISTANCE)[None], "distance": jnp.mean(distances)}

    def _distances(self, state: WorldState) -> Array:
        return assigned_costs(norm(state.pos[:, None] - self.posts(state)[None]))
