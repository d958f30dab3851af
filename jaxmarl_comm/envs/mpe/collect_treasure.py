"""collect_treasure_v1: collectors pick up treasures and carry each to the deposit of its kind; deposits move, too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Array, TimeStep
from jaxmarl_comm.envs.mpe.task import (
    MPETask,
    check_counts,
    flat,
    nearest_first,
    one_hot,
    others,
    touching,
    uniform,
)
from jaxmarl_comm.envs.mpe.world import Body, World, WorldState, norm

COLLECTOR_SIZE, DEPOSIT_SIZE, TREASURE_SIZE = 0.05, 0.075, 0.025
MAX_DEPOSITS = 6
EVENT_REWARD = 5.0
OVERLAP_PENALTY = 5.0
DISTANCE_PENALTY = 0.1
NOTHING = -1  # the kind of a treasure that has been taken, and what an idle collector holds
AWAY = -999.0  # where a taken treasure waits, on both axes
LAST = 1e6  # the distance that sorts taken treasures to the end


@dataclass(frozen=True, kw_only=True)
class CollectTreasure(MPETask):
    """`choice` is the kind of each treasure, then what each collector holds (-1: nothing).

    A taken treasure reappears at the next step, elsewhere and of a random kind. Bodies pass through each other.
    num_collectors, num_deposits (which is the number of kinds, at most 6), num_treasures: how many there are.
    """

    num_collectors: int = 6
    num_deposits: int = 2
    num_treasures: int = 6

    name = "collect_treasure_v1"
    landmark_range = 0.95

    def __post_init__(self) -> None:
        check_counts(
            1,
            num_collectors=self.num_collectors,
            num_deposits=self.num_deposits,
            num_treasures=self.num_treasures,
        )
        if self.num_deposits > MAX_DEPOSITS:
            raise ValueError(f"num_deposits is {self.num_deposits}, but must be at most {MAX_DEPOSITS}")

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        collectors = [f"collector_{k}" for k in range(self.num_collectors)]
        return (*collectors, *(f"deposit_{k}" for k in range(self.num_deposits)))

    @cached_property
    def world(self) -> World:
        collector = Body(size=COLLECTOR_SIZE, movable=True, accel=1.5, max_speed=1.0)
        deposit = Body(size=DEPOSIT_SIZE, movable=True, accel=1.5, max_speed=1.0, mass=2.25)
        return World(
            agents=(collector,) * self.num_collectors + (deposit,) * self.num_deposits,
            landmarks=(Body(size=TREASURE_SIZE),) * self.num_treasures,
        )

    def draw(self, key: Array) -> WorldState:
        """Agents as everywhere, nobody holding anything; treasures as `draw_treasures` says."""
        agents_key, treasures_key = jax.random.split(key)
        landmarks, kinds = self.draw_treasures(treasures_key)
        held = jnp.full(self.num_collectors, NOTHING, kinds.dtype)
        return super().draw(agents_key)._replace(landmarks=landmarks, choice=jnp.concatenate([kinds, held]))

    def draw_treasures(self, key: Array) -> tuple[Array, Array]:
        """New places `[L, 2]` in [-0.95, 0.95)² and kinds `[L]` for all treasures. The key is consumed."""
        place_key, kind_key = jax.random.split(key)
        places = uniform(place_key, (self.num_treasures, 2), self.landmark_range)
        return places, jax.random.randint(kind_key, (self.num_treasures,), 0, self.num_deposits)

    def _arrive(self, key: Array, state: WorldState, actions: dict[str, Array]) -> tuple[WorldState, TimeStep]:
        state, num_taken = self._pick_up(state, *self.draw_treasures(key))
        state, num_delivered = self._deliver(state)
        state = state._replace(t=state.t + 1)
        reward = self.rewards(state) + EVENT_REWARD * (num_taken + num_delivered)
        return state, self._time_step(state, reward)

    def observe(self, state: WorldState) -> dict[str, Array]:
        """Position 2, velocity 2, for collectors what they hold K, then nearest first:

        all others (relative position 2, velocity 2, kind accepted K, kind held K), then all treasures (relative
        position 2, kind K; zeros for those just taken). K is the number of kinds.
        """
        kinds, held = self.contents(state)
        holding = one_hot(held, self.num_deposits)
        roles = jnp.concatenate(  # [A, 2K]: accepts, holds
            [
                jnp.pad(holding, ((0, 0), (self.num_deposits, 0))),
                jnp.eye(self.num_deposits, 2 * self.num_deposits, dtype=holding.dtype),
            ]
        )
        them = others(self.num_agents)
        to_others = state.pos[them] - state.pos[:, None]
        people = nearest_first(jnp.concatenate([to_others, state.vel[them], roles[them]], axis=-1), norm(to_others))

        here = kinds >= 0
        to_treasures = state.landmarks[None] - state.pos[:, None]
        labels = jnp.broadcast_to(one_hot(kinds, self.num_deposits), (*to_treasures.shape[:2], self.num_deposits))
        items = jnp.where(here[:, None], jnp.concatenate([to_treasures, labels], axis=-1), 0.0)
        items = nearest_first(items, jnp.where(here, norm(to_treasures), LAST))

        own = jnp.concatenate([state.pos, state.vel], axis=-1)
        rest = jnp.concatenate([flat(people), flat(items)], axis=-1)
        c = self.num_collectors
        return {
            "collector": jnp.concatenate([own[:c], holding, rest[:c]], axis=-1),
            "deposit": jnp.concatenate([own[c:], rest[c:]], axis=-1),
        }

    def rewards(self, state: WorldState) -> Array:
        """Distances and overlaps alone; a step also pays everybody 5 for each treasure taken or delivered in it."""
        kinds, held = self.contents(state)
        collectors, deposits = state.pos[: self.num_collectors], state.pos[self.num_collectors :]
        to_treasures = jnp.where(kinds >= 0, norm(collectors[:, None] - state.landmarks[None]), jnp.inf)
        nearest = jnp.where(jnp.any(kinds >= 0), jnp.min(to_treasures, axis=-1), 0.0)
        to_deposits = norm(collectors[:, None] - deposits[None])
        home = jnp.take_along_axis(to_deposits, jnp.maximum(held, 0)[:, None], axis=-1)[:, 0]
        to_go = jnp.where(held >= 0, home, nearest)
        overlaps = touching(collectors, COLLECTOR_SIZE, collectors, COLLECTOR_SIZE) & ~np.eye(
            len(collectors), dtype=bool
        )
        collecting = -OVERLAP_PENALTY * jnp.sum(overlaps, axis=-1) - DISTANCE_PENALTY * to_go

        carries = held[:, None] == np.arange(self.num_deposits)  # [C, K]
        to_carrier = jnp.min(jnp.where(carries, to_deposits, jnp.inf), axis=0)
        to_crowd = norm(jnp.mean(collectors, axis=0) - deposits)
        waiting = -DISTANCE_PENALTY * jnp.where(jnp.any(carries, axis=0), to_carrier, to_crowd)
        return jnp.concatenate([collecting, waiting])

    def contents(self, state: WorldState) -> tuple[Array, Array]:
        """Kinds of the treasures `[L]` and of what the collectors hold `[C]`, -1 for none."""
        return state.choice[: self.num_treasures], state.choice[self.num_treasures :]

    def world_state(self, state: WorldState) -> Array:
        """See `MPETask.world_state`; choices are kinds, of treasures and of what is held, zeros for none."""
        kinds = jax.nn.one_hot(state.choice, self.num_deposits)
        return jnp.concatenate([super().world_state(state), kinds.ravel()])

    def _pick_up(self, state: WorldState, new_places: Array, new_kinds: Array) -> tuple[WorldState, Array]:
        """Treasures, in order, go to the first idle collector that touches them; those gone before reappear."""
        kinds, held = self.contents(state)
        reachable = touching(state.landmarks, TREASURE_SIZE, state.pos[: self.num_collectors], COLLECTOR_SIZE)

        def offer(held: Array, treasure: tuple[Array, Array]) -> tuple[Array, Array]:
            kind, in_reach = treasure
            can = in_reach & (held < 0) & (kind >= 0)
            takes = can & (jnp.cumsum(can) == 1)
            return jnp.where(takes, kind, held), jnp.any(can)

        held, taken = jax.lax.scan(offer, held, (kinds, reachable))
        gone = kinds < 0
        kinds = jnp.where(gone, new_kinds, jnp.where(taken, NOTHING, kinds))
        places = jnp.where(taken[:, None], AWAY, jnp.where(gone[:, None], new_places, state.landmarks))
        return state._replace(landmarks=places, choice=jnp.concatenate([kinds, held])), jnp.sum(taken)

    def _deliver(self, state: WorldState) -> tuple[WorldState, Array]:
        """Collectors that touch the deposit of what they hold are idle again."""
        kinds, held = self.contents(state)
        collectors, deposits = state.pos[: self.num_collectors], state.pos[self.num_collectors :]
        at_deposit = touching(collectors, COLLECTOR_SIZE, deposits, DEPOSIT_SIZE)
        delivered = jnp.any(at_deposit & (held[:, None] == np.arange(self.num_deposits)), axis=-1)
        held = jnp.where(delivered, NOTHING, held)
        return state._replace(choice=jnp.concatenate([kinds, held])), jnp.sum(delivered)
