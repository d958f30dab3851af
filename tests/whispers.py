"""A task outside the package, in a file of its own as users have it; and the same with a mistake in each."""

import random
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm import ActionSpace, Env, TimeStep
from jaxmarl_comm.envs.scene import AGENT, Shape


class State(NamedTuple):
    """secret: `[2]`, a number for each agent. t: `[]`, steps since the start."""

    secret: jax.Array
    t: jax.Array


@dataclass(frozen=True, kw_only=True)
class Whispers(Env):
    """Each agent alone sees its number, and earns 1 at every step at which it names the other's."""

    numbers: int = 3
    max_cycles: int = 6

    name = "whispers_v0"
    agents = ("agent_0", "agent_1")
    state_axes = State(secret=0, t=None)
    num_goals = property(lambda self: self.numbers)
    obs_dims = property(lambda self: {"agent": self.numbers})
    action_spaces = property(lambda self: {"agent": ActionSpace((("name", self.numbers),), self.continuous_actions)})

    def reset(self, key):
        state = State(jax.random.randint(key, (2,), 0, self.numbers), jnp.array(0))
        return state, self.seen(state, jnp.zeros(2))

    def step(self, key, state, actions):
        self.check_actions(actions)
        chosen = actions["agent"]
        score = jax.nn.one_hot(chosen, self.numbers) if not self.continuous_actions else chosen
        reward = jnp.take_along_axis(score, state.secret[::-1, None], axis=-1)[:, 0]
        state = state._replace(t=state.t + 1)
        return state, self.seen(state, reward)

    def seen(self, state, reward):
        return TimeStep(self.observe(state), reward, jnp.array(False), state.t >= self.max_cycles)

    def observe(self, state):
        return {"agent": jax.nn.one_hot(state.secret, self.numbers)}

    def goals(self, state):
        return state.secret


class Seated(Whispers):
    """Can be watched: two agents sit side by side, and move up as time goes by."""

    scene = (Shape(AGENT, "agent_0", 0.1), Shape(AGENT, "agent_1", 0.1))

    def places(self, state):
        return jnp.array([[-0.5, 0.0], [0.5, 0.0]]) + jnp.array([0.0, 0.1]) * state.t


class Counts(Whispers):
    """Counts its steps beside the state."""

    steps: ClassVar[list] = []

    def step(self, key, state, actions):
        self.steps.append(0)
        state, ts = super().step(key, state, actions)
        return state, ts._replace(reward=ts.reward + len(self.steps))


class KeepsNotes(Whispers):
    """Changes itself, though nothing comes of it."""

    def reset(self, key):
        vars(self)["notes"] = vars(self).get("notes", 0) + 1
        vars(self)["max_cycles"] = self.max_cycles + 1
        return super().reset(key)


class ThrowsDice(Whispers):
    """Draws from Python's random numbers."""

    def reset(self, key):
        state, ts = super().reset(key)
        return state, ts._replace(obs={"agent": ts.obs["agent"] * random.random()})


class AlwaysThree(Whispers):
    """Has an argument that it does not obey everywhere."""

    obs_dims: ClassVar = {"agent": 3}


class Mirrored(Whispers):
    """Shows each agent what the other sees, but only in its steps."""

    def seen(self, state, reward):
        ts = super().seen(state, reward)
        return ts._replace(obs=jax.tree.map(lambda x: jnp.where(state.t > 0, x[::-1], x), ts.obs))


class OneKeyForAll(Whispers):
    """Draws twice from one key."""

    def reset(self, key):
        secret = [jax.random.randint(key, (), 0, self.numbers) for _ in range(2)]
        state = State(jnp.stack(secret), jnp.array(0))
        return state, self.seen(state, jnp.zeros(2))


class SharpCorner(Whispers):
    """Has a norm of nothing in its rewards."""

    def step(self, key, state, actions):
        state, ts = super().step(key, state, actions)
        return state, ts._replace(reward=ts.reward + jnp.linalg.norm(0.0 * actions["agent"]))


class OwnClocks(Whispers):
    """Begins at any step, though all environments are said to share the clock."""

    def reset(self, key):
        a, b = jax.random.split(key)
        state, ts = super().reset(a)
        return state._replace(t=jax.random.randint(b, (), 0, 3)), ts


class Impatient(Whispers):
    """Terminates early, and does not say so."""

    def seen(self, state, reward):
        return super().seen(state, reward)._replace(terminated=state.t == 3)


class Endless(Whispers):
    """Goes on for ever."""

    def seen(self, state, reward):
        return super().seen(state, reward)._replace(truncated=jnp.array(False))


class OneForAll(Whispers):
    """Has one reward for all."""

    def seen(self, state, reward):
        return super().seen(state, reward.sum())


class Hasty(Whispers):
    """Goes on with another type of clock."""

    def step(self, key, state, actions):
        state, ts = super().step(key, state, actions)
        return state._replace(t=state.t.astype(float)), ts


class Undecided(Whispers):
    """Decides in Python what depends on numbers."""

    def step(self, key, state, actions):
        if state.t > 3:
            return state, self.seen(state, jnp.zeros(2))
        return super().step(key, state, actions)


class DividesByNothing(Whispers):
    """Shows a quotient that is none once the clock runs."""

    def observe(self, state):
        return jax.tree.map(lambda x: x / (1 - jnp.minimum(state.t, 1)), super().observe(state))


class Boasts(Whispers):
    """Tells goals that there are not."""

    def goals(self, state):
        return state.secret + 5


class Twins(Whispers):
    """Has an agent twice."""

    agents = ("agent_0", "agent_0")


class FastAndWrong(Whispers):
    """Steps many environments otherwise than one."""

    def step_many(self, keys, state, actions):
        state, ts = super().step_many(keys, state, actions)
        return state, ts._replace(reward=2 * ts.reward + 1)


class Forgets(Whispers):
    """Forgets that measures are a property."""

    def measures(self):
        return {"cost": 1.0}


class Counted(Whispers):
    """Measures in words."""

    measures: ClassVar = {"cost": "dollars"}


class Rungs(Whispers):
    """Has no ladder, but numbers."""

    ladder = (1.0, 2.0)


class Mumbles(Whispers):
    """Its words are nowhere."""

    def words(self, state):
        return state.nothing


class Lost(Whispers):
    """Its world is nowhere."""

    def world_state(self, state):
        return state.nothing


class Unlucky(Whispers):
    """Chooses from nothing, in a library."""

    def step(self, key, state, actions):
        return random.choice([])


class Careless(Whispers):
    """Judges what cannot be judged."""

    def judge(self, starts, returns):
        return {"gap": 1 / 0}


class Hurried(Whispers):
    """Judges all at once."""

    def judge(self, starts, returns):
        return {"gap": returns.mean()}


class Keeps(Whispers):
    """Shows what it kept for itself of the step before."""

    def step(self, key, state, actions):
        object.__setattr__(self, "last", actions["agent"])
        return super().step(key, state, actions)

    def observe(self, state):
        return {"agent": super().observe(state)["agent"] + getattr(self, "last", jnp.zeros(2))[:, None]}


class Unasked(Whispers):
    """Takes nothing but its defaults, and says so in its own way."""

    def __post_init__(self):
        assert self.numbers == 3, "numbers must be 3"


class Plain(Whispers):
    """Says in Python's own words that nothing terminates."""

    def seen(self, state, reward):
        return super().seen(state, reward)._replace(terminated=False)


class Unfinished(Env):
    """Lacks almost everything."""

    name = "unfinished_v0"


class Undeclared(Whispers):
    """Has an argument that is none, for want of the decorator."""

    volume: float = 1.0
