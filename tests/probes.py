"""Tasks so small that one knows what they are worth, each for one thing that can go wrong."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import ActionSpace, Env, TimeStep


class ProbeState(NamedTuple):
    """bits: `[N]`, each agent's private one, -1 or 1. last: `[N]`, what each did in the step before. t: the clock."""

    bits: jax.Array
    last: jax.Array
    t: jax.Array


@dataclass(frozen=True, kw_only=True)
class Probe(Env):
    """Two agents with two actions who each see a bit, and the time left as a share; rewards are the subclass's."""

    max_cycles: int = 1

    agents = ("agent_0", "agent_1")
    obs_dims = {"agent": 2}  # noqa: RUF012
    action_spaces = {"agent": ActionSpace((("move", 2),), False)}  # noqa: RUF012
    ends = True  # with its last step, after which nothing follows

    @property
    def name(self):
        return type(self).__name__

    @property
    def last_step(self):
        return self.max_cycles

    @property
    def ends_early(self):
        return self.ends

    @property
    def state_axes(self):
        return ProbeState(0, 0, 0 if self.ends else None)

    def reset(self, key):
        bits = jax.random.rademacher(key, (2,), jnp.float32)  # of no weak type, for which all would be traced twice
        state = ProbeState(bits, jnp.zeros(2, int), jnp.zeros((), jnp.int32))
        return state, self.time_step(state, jnp.zeros(2))

    def step(self, key, state, actions):
        moves = self.join(actions)
        after = ProbeState(state.bits, moves, state.t + 1)
        return after, self.time_step(after, self.rewards(state, 2.0 * moves - 1))

    def time_step(self, state, reward):
        over = state.t >= self.last_step
        return TimeStep(self.observe(state), reward, over & self.ends, over & (not self.ends))

    def observe(self, state):
        left = jnp.full(2, 1 - state.t / self.last_step * self.ends)  # a clock that ends nothing is not shown
        by_agent = jnp.stack([self.seen(state), left], axis=-1)
        return {group: by_agent[jnp.array(where)] for group, where in self.groups.items()}

    def seen(self, state):
        """`[2]`: each agent's own bit."""
        return state.bits

    def outcome(self, state):
        return {"success": jnp.full(len(self.team_names), jnp.nan), "distance": jnp.array(jnp.nan)}


class Constant(Probe):
    """Every step pays 1 for ever: truncation is no end, so each is worth 1 / (1 - gamma)."""

    ends = False

    def rewards(self, state, moves):
        return jnp.ones(2)


class Once(Probe):
    """One step, which pays each agent its own bit: worth that bit, whatever one does."""

    def rewards(self, state, moves):
        return state.bits


@dataclass(frozen=True, kw_only=True)
class Later(Probe):
    """Two steps, of which the second pays 1: worth gamma at first."""

    max_cycles: int = 2

    def rewards(self, state, moves):
        return jnp.full(2, state.t == 1, float)


class Obey(Probe):
    """An agent is paid 1 for doing what its own bit says, -1 for the contrary."""

    def rewards(self, state, moves):
        return moves * state.bits


@dataclass(frozen=True, kw_only=True, eq=False)
class OneOf(Probe):
    """The one of these tasks that `which` says, a number that one program may be given: they differ in nothing else."""

    which: int = 0
    tasks = (Once(), Later(), Obey())

    @property
    def last_step(self):
        return jnp.array([task.max_cycles for task in self.tasks])[self.which]

    def rewards(self, state, moves):
        return jnp.stack([task.rewards(state, moves) for task in self.tasks])[self.which]


class Tell(Probe):
    """An agent is paid for doing what the *other's* bit says: worth nothing to those who cannot talk."""

    def rewards(self, state, moves):
        return moves * state.bits[::-1]


@dataclass(frozen=True, kw_only=True)
class Aim(Probe):
    """The same bits with continuous actions: an agent is paid for how near the first of its two numbers is to its bit.

    At best 0, and -4 at worst; -1 to those who do not know, and stay in the middle.
    """

    continuous_actions: bool = True
    action_spaces = {"agent": ActionSpace((("move", 2),), True)}  # noqa: RUF012

    def step(self, key, state, actions):
        after = state._replace(t=state.t + 1)
        return after, self.time_step(after, self.rewards(state, 2.0 * actions["agent"][:, 0] - 1))

    def rewards(self, state, moves):
        return -((moves - self.wanted(state)) ** 2)

    def wanted(self, state):
        return state.bits


class AimTold(Aim):
    """What counts is the *other's* bit."""

    def wanted(self, state):
        return state.bits[::-1]


@dataclass(frozen=True, kw_only=True)
class Recall(Probe):
    """The bit is seen at the first step and called for at the third: worth nothing to those who forget."""

    max_cycles: int = 3

    def seen(self, state):
        return state.bits * (state.t == 0)

    def rewards(self, state, moves):
        return moves * state.bits * (state.t == 2)


class Just(Recall):
    """The bit is seen at the first step and called for at the second: enough to look back one step."""

    max_cycles: int = 2

    def rewards(self, state, moves):
        return moves * state.bits * (state.t == 1)


class Rivals(Probe):
    """A side is paid for its own obedience less its rival's: both obey, so that it is worth nothing to either."""

    agents = ("agent_0", "adversary_0")
    obs_dims = {"agent": 2, "adversary": 2}  # noqa: RUF012
    action_spaces = dict.fromkeys(("agent", "adversary"), ActionSpace((("move", 2),), False))
    teams = (0, 1)

    def rewards(self, state, moves):
        obeyed = moves * state.bits
        return obeyed - obeyed[::-1]
