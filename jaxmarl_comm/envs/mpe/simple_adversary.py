"""simple_adversary_v3: N good agents know which of N landmarks is the goal; the adversary must infer it from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.task import (
    ADVERSARY,
    GOOD,
    MPETask,
    check_counts,
    check_neighbors,
    flat,
    others,
    visible,
)
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm


@dataclass(frozen=True, kw_only=True)
class SimpleAdversary(MPETask):
    """`choice[0]` is the goal. The good agents are paid for the nearest of them and for the adversary's distance.

    N: number of good agents and of landmarks. num_agent_neighbors, num_landmark_neighbors: see only so many nearest
    ones, None: all.
    """

    N: int = 2
    num_agent_neighbors: int | None = None
    num_landmark_neighbors: int | None = None

    name = "simple_adversary_v3"

    def __post_init__(self) -> None:
        check_counts(1, N=self.N)
        check_neighbors(self.num_agent_neighbors, self.num_landmark_neighbors)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("adversary_0", *(f"agent_{k}" for k in range(self.N)))

    @cached_property
    def teams(self) -> tuple[int, ...]:  # type: ignore[override]
        return (ADVERSARY, *(GOOD,) * self.N)

    @cached_property
    def world(self) -> World:
        return World(agents=(Body(size=0.15, movable=True),) * (1 + self.N), landmarks=(Body(size=0.08),) * self.N)

    @property
    def num_choices(self) -> tuple[int, ...]:
        return (self.N,)

    @property
    def num_goals(self) -> int:
        return self.N

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Adversary [4N]: landmarks relative to oneself 2N, others 2N. Good agents [4N + 2]: the goal 2 before them."""
        to_landmarks = state.landmarks[None] - state.pos[:, None]
        to_others = state.pos[others(1 + self.N)] - state.pos[:, None]
        landmarks = flat(visible(to_landmarks, to_landmarks, self.num_landmark_neighbors))
        people = flat(visible(to_others, to_others, self.num_agent_neighbors))
        to_goal = state.landmarks[state.choice[0]] - state.pos
        everyone = jnp.concatenate([to_goal, landmarks, people], axis=-1)
        return {"adversary": everyone[:1, 2:], "agent": everyone[1:]}

    def rewards(self, state: WorldState) -> Array:
        adversary, good = self._distances(state)
        return jnp.stack([-adversary, *(adversary - good,) * self.N])

    def goals(self, state: WorldState) -> Array:
        return jnp.stack([jnp.full_like(state.choice[0], -1), *(state.choice[0],) * self.N])

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: a good agent is nearer to the goal than the adversary; the adversary's: it is nearer than all."""
        adversary, good = self._distances(state)
        return {"success": jnp.stack([good < adversary, adversary < good]), "distance": good}

    def targets(self, state: WorldState) -> Array:
        """`[A, 2]`: where an agent would go that knew the goal."""
        return jnp.broadcast_to(state.landmarks[state.choice[0]], state.pos.shape)

    def _distances(self, state: WorldState) -> tuple[Array, Array]:
        """Distances to the goal: of the adversary, and of the nearest good agent."""
        distances = norm(state.pos - self.targets(state))
        return distances[0], jnp.min(distances[1:])
