"""simple_push_v3: a good agent walks to its landmark; an adversary, who must guess which, pushes it away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, MPETask, flat, one_hot
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

LANDMARK_COLOURS = (0.1, 0.9, 0.1, 0.1, 0.1, 0.9)  # green, blue


@dataclass(frozen=True, kw_only=True)
class SimplePush(MPETask):
    """`choice[0]` is the landmark that the good agent must reach."""

    name = "simple_push_v3"
    agents = ("adversary_0", "agent_0")
    teams = (ADVERSARY, GOOD)
    num_choices = (2,)
    num_goals = 2

    @cached_property
    def world(self) -> World:
        return World(agents=(Body(size=0.05, movable=True, collides=True),) * 2, landmarks=(Body(size=0.05),) * 2)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Adversary [8]: velocity 2, landmarks relative to oneself 4, the other 2.

        Good agent [19]: velocity 2, the goal 2, colour of the goal 3, landmarks 4, their colours 6, the other 2.
        """
        to_landmarks = flat(state.landmarks[None] - state.pos[:, None])
        to_other = state.pos[::-1] - state.pos
        to_goal = state.landmarks[state.choice[0]] - state.pos[1]
        colour = 0.25 + 0.5 * one_hot(state.choice[0] + 1, 3)  # greenish or bluish
        good = [state.vel[1], to_goal, colour, to_landmarks[1], jnp.array(LANDMARK_COLOURS), to_other[1]]
        return {
            "adversary": jnp.concatenate([state.vel[:1], to_landmarks[:1], to_other[:1]], axis=-1),
            "agent": jnp.concatenate(good)[None],
        }

    def rewards(self, state: WorldState) -> Array:
        adversary, good = self._distances(state)
        return jnp.stack([good - adversary, -good])

    def goals(self, state: WorldState) -> Array:
        return jnp.stack([jnp.full_like(state.choice[0], -1), state.choice[0]])

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success, of either side: to be nearer to the good agent's landmark than the other."""
        adversary, good = self._distances(state)
        return {"success": jnp.stack([good < adversary, adversary < good]), "distance": good}

    def targets(self, state: WorldState) -> Array:
        """`[A, 2]`: where an agent would go that knew the goal."""
        return jnp.broadcast_to(state.landmarks[state.choice[0]], state.pos.shape)

    def _distances(self, state: WorldState) -> Array:
        """`[2]`: distances to the goal, of the adversary and of the good agent."""
        return norm(state.pos - self.targets(state))
