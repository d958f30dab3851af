"""simple_spread_v3: N agents cover N landmarks without bumping into each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.task import MPETask, check_ratio, flat, others
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

AGENT_SIZE = 0.15
SUCCESS_DISTANCE = 0.1
UNUSED_WORDS = 2  # mpe2 shows each agent two zeros for every other one, the words of the silent


@dataclass(frozen=True, kw_only=True)
class SimpleSpread(MPETask):
    """All are paid for every landmark's distance to its nearest agent, and each for its own bumps.

    N: number of agents and of landmarks. local_ratio: weight of an agent's own bumps against the common reward.
    """

    N: int = 3
    local_ratio: float = 0.5

    name = "simple_spread_v3"

    def __post_init__(self) -> None:
        if self.N < 1:
            raise ValueError(f"N is {self.N}, but simple_spread_v3 needs at least 1 agent")
        check_ratio(self.local_ratio)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"agent_{k}" for k in range(self.N))

    @cached_property
    def world(self) -> World:
        agent = Body(size=AGENT_SIZE, movable=True, collides=True)
        return World(agents=(agent,) * self.N, landmarks=(Body(size=0.05),) * self.N)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[6N]: velocity 2, position 2, landmarks relative to oneself 2N, others 2(N-1), zeros 2(N-1)."""
        to_landmarks = flat(state.landmarks[None] - state.pos[:, None])
        to_others = flat(state.pos[others(self.N)] - state.pos[:, None])
        silence = jnp.zeros((self.N, UNUSED_WORDS * (self.N - 1)))
        return {"agent": jnp.concatenate([state.vel, state.pos, to_landmarks, to_others, silence], axis=-1)}

    def rewards(self, state: WorldState) -> Array:
        gaps = norm(state.pos[others(self.N)] - state.pos[:, None])
        bumps = jnp.sum(gaps < 2 * AGENT_SIZE, axis=-1)
        common = -jnp.sum(self._uncovered(state))
        return common * (1 - self.local_ratio) - bumps * self.local_ratio

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: every landmark has an agent within 0.1."""
        uncovered = self._uncovered(state)
        return {"success": jnp.all(uncovered < SUCCESS_DISTANCE), "distance": jnp.mean(uncovered)}

    def _uncovered(self, state: WorldState) -> Array:
        """`[N]`: each landmark's distance to its nearest agent."""
        return jnp.min(norm(state.pos[None] - state.landmarks[:, None]), axis=-1)
