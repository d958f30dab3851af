"""simple_world_comm_v3: tag with food for the prey, forests to hide in, and a leader who sees all and can tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.chase import Chase
from jaxmarl_comm.envs.mpe.task import (
    check_counts,
    distances,
    flat,
    others,
    outside,
    touching,
)
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState

ADVERSARY_SIZE, PREY_SIZE, FOOD_SIZE, FOREST_SIZE = 0.075, 0.045, 0.03, 0.3
HIT_REWARD = 5.0
MEAL_REWARD = 2.0
NUM_WORDS = 4
LEADER = 0


@dataclass(frozen=True, kw_only=True)
class SimpleWorldComm(Chase):
    """Whoever is in a forest is seen only from within it, and sees only what is in it; the leader sees everyone.

    num_good, num_adversaries (with the leader), num_obstacles, num_food, num_forests: how many there are.
    """

    num_good: int = 2
    num_adversaries: int = 4
    num_obstacles: int = 1
    num_food: int = 2
    num_forests: int = 2

    name = "simple_world_comm_v3"
    landmark_range = 0.9

    def __post_init__(self) -> None:
        check_counts(1, num_good=self.num_good, num_adversaries=self.num_adversaries, num_food=self.num_food)
        check_counts(0, num_obstacles=self.num_obstacles, num_forests=self.num_forests)

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        hunters = ["leadadversary_0", *(f"adversary_{k}" for k in range(self.num_adversaries - 1))]
        return (*hunters, *(f"agent_{k}" for k in range(self.num_good)))

    @cached_property
    def world(self) -> World:
        adversary = Body(size=ADVERSARY_SIZE, movable=True, collides=True, accel=3.0, max_speed=1.0)
        prey = Body(size=PREY_SIZE, movable=True, collides=True, accel=4.0, max_speed=1.3)
        hunters = (adversary._replace(speaks=True),) + (adversary,) * (self.num_adversaries - 1)
        landmarks = (
            (Body(size=0.2, collides=True),) * self.num_obstacles
            + (Body(size=FOOD_SIZE),) * self.num_food
            + (Body(size=FOREST_SIZE),) * self.num_forests
        )
        return World(agents=hunters + (prey,) * self.num_good, landmarks=landmarks, dim_c=NUM_WORDS)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Velocity 2, position 2, landmarks relative to oneself (obstacles, food, forests), visible others, and then

        for adversaries: velocities of the visible prey, forests one is in (1, else -1), the leader's word 4;
        for the prey: forests one is in, velocities of the visible other prey. What is not visible is zero.
        """
        inside = self._inside(state)
        forests = jnp.where(inside, 1.0, -1.0).astype(state.pos.dtype)
        sees = self.sight(state)[..., None]
        offsets = jnp.where(sees, state.pos[None] - state.pos[:, None], 0.0)
        vel = jnp.where(sees, state.vel[None], 0.0)

        everyone = jnp.arange(self.num_agents)[:, None]
        to_landmarks = flat(state.landmarks[None] - state.pos[:, None])
        to_others = flat(offsets[everyone, others(self.num_agents)])
        head = jnp.concatenate([state.vel, state.pos, to_landmarks, to_others], axis=-1)

        hunters, prey = slice(0, self.num_adversaries), slice(self.num_adversaries, None)
        of_prey = flat(vel[hunters, prey])
        of_other_prey = flat(vel[prey, prey][everyone[: self.num_good], others(self.num_good)])
        word = jnp.broadcast_to(state.say[LEADER], (self.num_adversaries, NUM_WORDS))
        hunting = jnp.concatenate([head[hunters], of_prey, forests[hunters], word], axis=-1)
        fleeing = jnp.concatenate([head[prey], forests[prey], of_other_prey], axis=-1)
        followers = {"adversary": hunting[1:]} if self.num_adversaries > 1 else {}
        return {"leadadversary": hunting[:1], **followers, "agent": fleeing}

    def rewards(self, state: WorldState) -> Array:
        hunters, prey = self.sides(state)
        food = state.landmarks[self.num_obstacles : self.num_obstacles + self.num_food]
        hits = self.hits(state)
        hunt = HIT_REWARD * jnp.sum(hits) - 0.1 * jnp.min(distances(hunters, prey), axis=1)
        meals = MEAL_REWARD * jnp.sum(touching(prey, PREY_SIZE, food, FOOD_SIZE), axis=1)
        hunger = 0.05 * jnp.min(distances(prey, food), axis=1)
        flight = -HIT_REWARD * jnp.sum(hits, axis=0) - 2 * outside(prey) + meals - hunger
        return jnp.concatenate([hunt, flight])

    def _inside(self, state: WorldState) -> Array:
        """`[A, num_forests]` bool: whose body reaches into which forest."""
        sizes = [body.size for body in self.world.agents]
        forests = state.landmarks[self.num_obstacles + self.num_food :]
        return touching(state.pos, sizes, forests, FOREST_SIZE)

    def sight(self, state: WorldState) -> Array:
        """`[A, A]` bool: those see each other who are in one forest, or all outdoors; the leader sees everyone."""
        inside = self._inside(state)
        share_forest = jnp.any(inside[:, None] & inside[None], axis=-1)
        outdoors = ~jnp.any(inside, axis=-1)
        is_leader = jnp.arange(self.num_agents) == LEADER
        return share_forest | (outdoors[:, None] & outdoors[None]) | is_leader[:, None]
