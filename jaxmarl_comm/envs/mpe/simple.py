"""simple_v3: one agent walks to one landmark; for checking that learning works at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

SUCCESS_DISTANCE = 0.1


@dataclass(frozen=True, kw_only=True)
class Simple(MPETask):
    """The reward is the *squared* distance to the landmark, negated."""

    name = "simple_v3"
    agents = ("agent_0",)

    @cached_property
    def world(self) -> World:
        return World(agents=(Body(size=0.05, movable=True),), landmarks=(Body(size=0.05),))

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[4]: velocity 2, landmark relative to oneself 2."""
        return {"agent": jnp.concatenate([state.vel, state.landmarks - state.pos], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        offset = state.pos - state.landmarks
        return -jnp.sum(offset * offset, axis=-1)

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: the agent is within 0.1 of the landmark."""
        distance = norm(state.pos - state.landmarks)[0]
        return {"success": (distance < SUCCESS_DISTANCE)[None], "distance": distance}

    @property
    def ladder(self) -> Ladder | None:
        if not self.is_default("continuous_actions"):
            return None
        if self.continuous_actions:
            return Ladder(silent=None, oracle=-5.73, attainable=-5.73, attainable_success=1.0)
        return Ladder(silent=None, oracle=-7.30, attainable=-7.32, attainable_success=1.0)

    def targets(self, state: WorldState) -> Array:
        """`[A, 2]`: where the agent must go."""
        return state.landmarks
