"""simple_speaker_listener_v4: the speaker knows the goal but cannot move; the listener moves but does not know it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.task import MPETask, flat, one_hot
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

SUCCESS_DISTANCE = 0.1
SPEAKER, LISTENER = 0, 1


@dataclass(frozen=True, kw_only=True)
class SimpleSpeakerListener(MPETask):
    """`choice[0]` is the landmark that the listener must reach."""

    name = "simple_speaker_listener_v4"
    agents = ("speaker_0", "listener_0")
    num_choices = (3,)
    num_goals = 3

    @cached_property
    def world(self) -> World:
        speaker = Body(size=0.075, speaks=True)
        listener = Body(size=0.075, movable=True)
        return World(agents=(speaker, listener), landmarks=(Body(size=0.04),) * 3, dim_c=3)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Speaker [3]: colour of the goal. Listener [11]: velocity 2, landmarks relative to itself 6, the word 3."""
        colour = 0.15 + 0.5 * one_hot(state.choice[0], 3)
        to_landmarks = flat(state.landmarks - state.pos[LISTENER])
        heard = jnp.concatenate([state.vel[LISTENER], to_landmarks, state.say[SPEAKER]])
        return {"speaker": colour[None], "listener": heard[None]}

    def rewards(self, state: WorldState) -> Array:
        """Both get the *squared* distance, negated."""
        offset = state.pos[LISTENER] - self.targets(state)[LISTENER]
        return jnp.full(2, -jnp.sum(offset * offset))

    def goals(self, state: WorldState) -> Array:
        return jnp.array([state.choice[0], -1])

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: the listener is within 0.1 of its landmark."""
        distance = norm(state.pos[LISTENER] - self.targets(state)[LISTENER])
        return {"success": (distance < SUCCESS_DISTANCE)[None], "distance": distance}

    @property
    def ladder(self) -> Ladder | None:
        if not self.is_default("continuous_actions"):
            return None
        if self.continuous_actions:
            return Ladder(silent=-14.45, oracle=-5.85, attainable=-5.85, attainable_success=1.0)
        return Ladder(silent=-15.39, oracle=-7.44, attainable=-7.45, attainable_success=1.0)

    def targets(self, state: WorldState) -> Array:
        """`[A, 2]`: where each agent must go; the speaker stays where it is."""
        return jnp.stack([state.pos[SPEAKER], state.landmarks[state.choice[0]]])
