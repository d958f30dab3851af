"""What simple_tag and simple_world_comm share: adversaries hunt prey."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD, MPETask, distances, touching
from jaxmarl_comm.envs.mpe.world import WorldState


@dataclass(frozen=True, kw_only=True)
class Chase(MPETask):
    """The adversaries come first among the agents, then the prey.

    num_good, num_adversaries: how many prey and how many adversaries there are.
    """

    num_good: int
    num_adversaries: int

    @cached_property
    def teams(self) -> tuple[int, ...]:  # type: ignore[override]
        return (ADVERSARY,) * self.num_adversaries + (GOOD,) * self.num_good

    def outcome(self, state: WorldState) -> dict[str, Array]:
        """Success: no prey is hit; the adversaries': every prey is. Distance: of a prey to its nearest adversary."""
        distance, hit = jnp.mean(jnp.min(distances(*self.sides(state)), axis=0)), jnp.any(self.hits(state), axis=0)
        return {"success": jnp.stack([~jnp.any(hit), jnp.all(hit)]), "distance": distance}

    def solved(self, state: WorldState) -> Array:
        return self.outcome(state)["success"][ADVERSARY]

    def sides(self, state: WorldState) -> tuple[Array, Array]:
        """Positions of the adversaries `[num_adversaries, 2]` and of the prey `[num_good, 2]`."""
        return state.pos[: self.num_adversaries], state.pos[self.num_adversaries :]

    def sight(self, state: WorldState) -> Array:
        """`[A, A]` bool: who sees whom."""
        return jnp.ones((self.num_agents, self.num_agents), bool)

    def hits(self, state: WorldState) -> Array:
        """`[num_adversaries, num_good]` bool: who touches which prey."""
        hunters, prey = self.sides(state)
        sizes = [body.size for body in self.world.agents]
        return touching(hunters, sizes[: self.num_adversaries], prey, sizes[self.num_adversaries :])
