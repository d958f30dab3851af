"""simple_spread_v3: N agents cover N landmarks without bumping into each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.task import (
    MPETask,
    check_counts,
    check_neighbors,
    check_ratio,
    check_stage,
    distances,
    flat,
    others,
    touching,
    visible,
)
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState

AGENT_SIZE = 0.15
SUCCESS_DISTANCE = 0.1
UNUSED_WORDS = 2  # mpe2 shows each agent two zeros for every other one, the words of the silent
LADDERS = {  # by number of agents, and whether actions are continuous
    (3, False): Ladder(silent=None, oracle=-5.88, attainable=-6.31, attainable_success=0.92),
    (3, True): Ladder(silent=None, oracle=-5.00, attainable=-5.00, attainable_success=0.91),
    (6, False): Ladder(silent=None, oracle=-9.36, attainable=-9.89, attainable_success=0.48),
    (6, True): Ladder(silent=None, oracle=-8.60, attainable=-8.60, attainable_success=0.38),
}
BUMPS_COUNT = (False, True)  # whether they do in each stage of the curriculum


@dataclass(frozen=True, kw_only=True)
class SimpleSpread(MPETask):
    """All are paid for every landmark's distance to its nearest agent, and each for its own bumps.

    N: number of agents and of landmarks. local_ratio: weight of an agent's own bumps against the common reward.
    terminate_on_success: end the episode as soon as every landmark has an agent within 0.1. num_agent_neighbors,
    num_landmark_neighbors: see only so many nearest ones, None: all.

    curriculum: at stage 0 of `curriculum_stage` bumps cost nothing, at stage 1 they do. mpe2 1.1.1 means its stage to
    be advanced during training, but stays at stage 0 for ever, because its setter does nothing; here the next stage is
    another environment.
    """

    N: int = 3
    local_ratio: float = 0.5
    curriculum: bool = False
    curriculum_stage: int = 0
    terminate_on_success: bool = False
    num_agent_neighbors: int | None = None
    num_landmark_neighbors: int | None = None

    name = "simple_spread_v3"

    def __post_init__(self) -> None:
        check_counts(1, N=self.N)
        check_ratio(self.local_ratio)
        check_stage(self.curriculum, self.curriculum_stage, len(BUMPS_COUNT))
        check_neighbors(self.num_agent_neighbors, self.num_landmark_neighbors)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(f"agent_{k}" for k in range(self.N))

    @property
    def ends_early(self) -> bool:
        return self.terminate_on_success

    @cached_property
    def world(self) -> World:
        agent = Body(size=AGENT_SIZE, movable=True, collides=True)
        return World(agents=(agent,) * self.N, landmarks=(Body(size=0.05),) * self.N)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """[6N]: velocity 2, position 2, landmarks relative to oneself 2N, others 2(N-1), zeros 2(N-1).

        With neighbours, their numbers replace N and N-1.
        """
        to_landmarks = state.landmarks[None] - state.pos[:, None]
        to_others = state.pos[others(self.N)] - state.pos[:, None]
        landmarks = flat(visible(to_landmarks, to_landmarks, self.num_landmark_neighbors))
        people = visible(to_others, to_others, self.num_agent_neighbors)
        silence = jnp.zeros((self.N, UNUSED_WORDS * people.shape[1]))
        return {"agent": jnp.concatenate([state.vel, state.pos, landmarks, flat(people), silence], axis=-1)}

    def posts(self, state: WorldState) -> Array:
        """`[N, 2]`: the landmarks."""
        return state.landmarks

    def rewards(self, state: WorldState) -> Array:
        common = jnp.full(self.N, -jnp.sum(self._uncovered(state)))
        if self.curriculum and not BUMPS_COUNT[self.curriculum_stage]:
            return common * (1 - self.local_ratio)
        touch = touching(state.pos, AGENT_SIZE, state.pos, AGENT_SIZE)
        bumps = jnp.sum(touch & ~np.eye(self.N, dtype=bool), axis=-1)
        return common * (1 - self.local_ratio) - bumps * self.local_ratio

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: every landmark has an agent within 0.1."""
        uncovered = self._uncovered(state)
        return {"success": jnp.all(uncovered < SUCCESS_DISTANCE)[None], "distance": jnp.mean(uncovered)}

    @property
    def ladder(self) -> Ladder | None:
        """Nobody has a private goal, so silence bounds nothing; the oracle is the best found in hindsight.

        It knows everything, so that it makes no difference to it how much agents see.

        The best plans need not succeed. Agents touch below a distance of 0.3, for which they pay, so that landmarks
        nearer than that cannot all be covered: what is left over, of two that are 0.1 to 0.2 apart, returns the same
        whether both have an agent within 0.1 or one has not.
        """
        if not self.is_default("continuous_actions", "N", "num_agent_neighbors", "num_landmark_neighbors"):
            return None
        return LADDERS.get((self.N, self.continuous_actions))

    def _uncovered(self, state: WorldState) -> Array:
        """`[N]`: each landmark's distance to its nearest agent."""
        return jnp.min(distances(state.landmarks, state.pos), axis=-1)
