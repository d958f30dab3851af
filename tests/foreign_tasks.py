"""PettingZoo environments as others write them, small ones, each for one thing that can go wrong."""

import os
import signal

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv

DIE = 3  # the step at which the dying ones do
FEW = 8  # episodes, all that are played to see what an environment is like


class Walk(ParallelEnv):
    """All that has happened decides what is seen and paid, as does the seed. If `early`, walker_1 leaves at once."""

    def __init__(self, max_cycles=4, early=False):
        self.max_cycles, self.early = max_cycles, early
        self.possible_agents = ["walker_0", "talker_0", "walker_1"]

    def observation_space(self, agent):
        return spaces.Box(-9, 9, (2, 2)) if agent.startswith("walker") else spaces.Discrete(3, start=1)

    def action_space(self, agent):
        return spaces.MultiDiscrete([2, 3]) if agent.startswith("walker") else spaces.Discrete(4, start=-1)

    def reset(self, seed=None, options=None):
        self.rng, self.agents, self.t, self.sum = np.random.default_rng(seed), list(self.possible_agents), 0, 0.0
        self.end = int(self.rng.integers(1, self.max_cycles)) if self.early else self.max_cycles
        return self.seen(), {agent: {} for agent in self.agents}

    def seen(self):
        numbers = self.rng.random((2, 2)).astype(np.float32) + self.sum
        return {agent: numbers if agent.startswith("walker") else 1 + int(self.sum) % 3 for agent in self.agents}

    def step(self, actions):
        assert set(actions) == set(self.agents)
        assert all(self.action_space(agent).contains(action) for agent, action in actions.items())
        live, self.t = self.agents, self.t + 1
        self.sum += sum(float(np.dot(np.ravel(action), [1, 0.25][: np.size(action)])) for action in actions.values())
        obs, rewards = self.seen(), {agent: self.sum + k for k, agent in enumerate(live)}
        left = {agent: self.early and agent == "walker_1" for agent in live}
        over = self.t >= self.end
        self.agents = [] if over else [agent for agent in live if not left[agent]]
        terminated = {agent: left[agent] or (over and self.early) for agent in live}
        return obs, rewards, terminated, dict.fromkeys(live, over and not self.early), {agent: {} for agent in live}


parallel_env = Walk


class Toy(ParallelEnv):
    """Two agents who see nothing but the clock; each is paid for its action."""

    length = 3

    def __init__(self):
        self.possible_agents = ["toy_0", "toy_1"]

    def observation_space(self, agent):
        return spaces.Box(0, 9, (1,))

    def action_space(self, agent):
        return spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(self.possible_agents), 0
        return self.seen(), {}

    def seen(self):
        return {agent: np.array([self.t], np.float32) for agent in self.agents}

    def step(self, actions):
        self.t += 1
        live, obs, over = self.agents, self.seen(), self.t >= self.length
        self.agents = [] if over else live
        rewards = {agent: float(np.sum(actions[agent])) for agent in live}
        return obs, rewards, dict.fromkeys(live, False), dict.fromkeys(live, over), {}


class Reaching(Toy):
    """Continuous actions, of other bounds and lengths for each agent."""

    def action_space(self, agent):
        if agent == "toy_0":
            return spaces.Box(np.array([-1.0, 0.0], np.float32), np.array([1.0, 4.0], np.float32))
        return spaces.Box(10, 20, (1,))

    def step(self, actions):
        assert all(self.action_space(agent).contains(action) for agent, action in actions.items())
        return super().step(actions)


class Unbounded(Toy):
    def action_space(self, agent):
        return spaces.Box(-np.inf, np.inf, (1,))


class Mixed(Toy):
    def action_space(self, agent):
        return spaces.Box(0, 1, (1,)) if agent == "toy_0" else spaces.Discrete(2)


class Masked(Toy):
    def observation_space(self, agent):
        return spaces.Dict({"observation": spaces.Discrete(2), "action_mask": spaces.MultiBinary(2)})


class Worded(Toy):
    def observation_space(self, agent):
        return spaces.Text(5)


class Crowded(Toy):
    def action_space(self, agent):
        return spaces.MultiDiscrete([2**20, 2**20])


class Late(Toy):
    def reset(self, seed=None, options=None):
        obs, infos = super().reset(seed)
        self.agents = ["toy_0"]
        return obs, infos


class Wider(Toy):
    def seen(self):
        return {agent: np.zeros(2, np.float32) for agent in self.agents}


class Shuffled(Toy):
    def __init__(self):
        self.possible_agents = {"toy_0", "toy_1"}


class InTurns(AECEnv):
    """Nothing is asked of it but what it is."""


class Boxed(Toy):
    """Rewards as arrays of one number, as many an environment has them."""

    def step(self, actions):
        obs, rewards, *rest = super().step(actions)
        return obs, {agent: np.array([reward]) for agent, reward in rewards.items()}, *rest


class Unpaid(Toy):
    def step(self, actions):
        obs, rewards, *rest = super().step(actions)
        return obs, dict.fromkeys(rewards), *rest


class Blind(Toy):
    def seen(self):
        return {agent: np.array([np.nan], np.float32) for agent in self.agents}


class Elsewhere(Toy):
    """Sees what is not in its space."""

    def observation_space(self, agent):
        return spaces.MultiDiscrete([2, 2])

    def seen(self):
        return {agent: np.array([2, 0]) for agent in self.agents}


class Forgetful(Toy):
    """What is seen has nothing to do with the seed."""

    def seen(self):
        return {agent: np.array([np.random.random()], np.float32) for agent in self.agents}


class Ageing(Toy):
    """What an episode leaves behind is seen in the next."""

    def __init__(self):
        super().__init__()
        self.age = 0

    def seen(self):
        self.age += 1
        return {agent: np.array([self.age], np.float32) for agent in self.agents}


class Raising(Toy):
    """Not while it is looked at, but later an episode has an end that nobody expects."""

    length = 5
    episodes = 0

    def reset(self, seed=None, options=None):
        Raising.episodes += 1
        return super().reset(seed)

    def step(self, actions):
        if Raising.episodes > FEW and self.t == DIE:
            raise KeyError("the third\nleg")
        return super().step(actions)


class Dying(Raising):
    """The same, without a word."""

    def step(self, actions):
        if Raising.episodes > FEW and self.t == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        return Toy.step(self, actions)


def nothing():
    return object()
