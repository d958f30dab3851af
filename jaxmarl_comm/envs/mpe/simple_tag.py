"""simple_tag_v3: slow adversaries hunt fast prey between obstacles."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.chase import Chase
from jaxmarl_comm.envs.mpe.task import (
    check_counts,
    check_neighbors,
    check_stage,
    flat,
    others,
    outside,
    visible,
)
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState

ADVERSARY_SIZE, PREY_SIZE = 0.075, 0.05
HIT_REWARD = 10.0
PREY_SPEED = (0.5, 0.75, 1.0)  # share of the prey's full acceleration and top speed in each stage of the curriculum


@dataclass(frozen=True, kw_only=True)
class SimpleTag(Chase):
    """Every hit pays 10 to each adversary and costs the prey 10; leaving the arena costs the prey, too.

    num_good, num_adversaries, num_obstacles: how many there are. terminate_on_success: end the episode as soon as every
    prey is hit. num_agent_neighbors, num_landmark_neighbors: see only so many nearest ones, None: all.

    curriculum: slow the prey down as stage `curriculum_stage` (0, 1, 2: half, three quarters, full speed) does. mpe2
    1.1.1 means its stage to be advanced between episodes, but stays at stage 0 for ever, because its setter does
    nothing; here the next stage is another environment.
    """

    num_good: int = 1
    num_adversaries: int = 3
    num_obstacles: int = 2
    curriculum: bool = False
    curriculum_stage: int = 0
    terminate_on_success: bool = False
    num_agent_neighbors: int | None = None
    num_landmark_neighbors: int | None = None

    name = "simple_tag_v3"
    landmark_range = 0.9

    def __post_init__(self) -> None:
        check_counts(1, num_good=self.num_good, num_adversaries=self.num_adversaries)
        check_counts(0, num_obstacles=self.num_obstacles)
        check_stage(self.curriculum, self.curriculum_stage, len(PREY_SPEED))
        check_neighbors(self.num_agent_neighbors, self.num_landmark_neighbors)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        adversaries = [f"adversary_{k}" for k in range(self.num_adversaries)]
        return (*adversaries, *(f"agent_{k}" for k in range(self.num_good)))

    @property
    def ends_early(self) -> bool:
        return self.terminate_on_success

    @cached_property
    def world(self) -> World:
        speed = PREY_SPEED[self.curriculum_stage] if self.curriculum else 1.0
        adversary = Body(size=ADVERSARY_SIZE, movable=True, collides=True, accel=3.0, max_speed=1.0)
        prey = Body(size=PREY_SIZE, movable=True, collides=True, accel=4.0 * speed, max_speed=1.3 * speed)
        return World(
            agents=(adversary,) * self.num_adversaries + (prey,) * self.num_good,
            landmarks=(Body(size=0.2, collides=True),) * self.num_obstacles,
        )

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Velocity 2, position 2, obstacles relative to oneself, others, then velocities of the prey among the others.

        With `num_agent_neighbors`, velocities have one slot for each visible agent, which is zero for adversaries.
        """
        to_obstacles = state.landmarks[None] - state.pos[:, None]
        to_others = state.pos[others(self.num_agents)] - state.pos[:, None]
        obstacles = flat(visible(to_obstacles, to_obstacles, self.num_landmark_neighbors))
        people = flat(visible(to_others, to_others, self.num_agent_neighbors))
        seen = jnp.concatenate([state.vel, state.pos, obstacles, people], axis=-1)

        first_prey = self.num_adversaries
        if self.num_agent_neighbors is not None:
            is_prey = np.arange(self.num_agents)[:, None] >= first_prey
            vel = jnp.where(is_prey, state.vel, 0.0)[others(self.num_agents)]
            seen = jnp.concatenate([seen, flat(visible(vel, to_others, self.num_agent_neighbors))], axis=-1)
            return {"adversary": seen[:first_prey], "agent": seen[first_prey:]}

        prey_vel = state.vel[first_prey:]
        of_all = jnp.broadcast_to(prey_vel.ravel(), (self.num_adversaries, 2 * self.num_good))
        of_others = flat(prey_vel[others(self.num_good)])
        return {
            "adversary": jnp.concatenate([seen[:first_prey], of_all], axis=-1),
            "agent": jnp.concatenate([seen[first_prey:], of_others], axis=-1),
        }

    def rewards(self, state: WorldState) -> Array:
        hits = self.hits(state)
        hunt = jnp.full(self.num_adversaries, HIT_REWARD * jnp.sum(hits))
        flight = -HIT_REWARD * jnp.sum(hits, axis=0) - outside(state.pos[self.num_adversaries :])
        return jnp.concatenate([hunt, flight])
