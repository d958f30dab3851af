"""simple_reference_v3: two agents, three landmarks; each knows where the *other* must go, and can only tell it so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.task import MPETask, check_ratio, flat, one_hot
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

SUCCESS_DISTANCE = 0.1


@dataclass(frozen=True, kw_only=True)
class SimpleReference(MPETask):
    """Goal i (`choice[i]`) is the landmark that agent 1-i must reach; agent i sees its colour.

    local_ratio: weight of an agent's own reward, -distance of the *other* agent to goal i; the rest is both's mean.
    """

    local_ratio: float = 0.5

    name = "simple_reference_v3"
    agents = ("agent_0", "agent_1")
    num_choices = (3, 3)
    num_goals = 3

    def __post_init__(self) -> None:
        check_ratio(self.local_ratio)

    @cached_property
    def world(self) -> World:
        agent = Body(size=0.05, movable=True, speaks=True)
        return World(agents=(agent,) * 2, landmarks=(Body(size=0.05),) * 3, dim_c=10)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[21]: own velocity 2, landmarks relative to oneself 6, colour of the other's goal 3, the other's word 10."""
        to_landmarks = state.landmarks[None] - state.pos[:, None]
        colour = 0.25 + 0.5 * one_hot(state.choice, 3)
        return {"agent": jnp.concatenate([state.vel, flat(to_landmarks), colour, state.say[::-1]], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        local = -self._distances(state)[::-1]
        return jnp.mean(local) * (1 - self.local_ratio) + local * self.local_ratio

    def goals(self, state: WorldState) -> Array:
        return state.choice

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: both agents are within 0.1 of their landmark."""
        distances = self._distances(state)
        return {"success": jnp.all(distances < SUCCESS_DISTANCE)[None], "distance": jnp.mean(distances)}

    @property
    def ladder(self) -> Ladder | None:
        """For any `local_ratio`, which moves pay from one agent to the other and leaves their mean as it is."""
        if not self.is_default("continuous_actions", "local_ratio"):
            return None
        if self.continuous_actions:
            return Ladder(silent=-16.07, oracle=-5.60, attainable=-5.66, attainable_success=1.0)
        return Ladder(silent=-16.65, oracle=-7.13, attainable=-7.51, attainable_success=1.0)

    def targets(self, state: WorldState) -> Array:
        """`[A, 2]`: where each agent must go."""
        return state.landmarks[state.choice[::-1]]

    def _distances(self, state: WorldState) -> Array:
        return norm(state.pos - self.targets(state))
