"""All environments behave as PettingZoo's: its own conformance tests, and stricter ones of ours."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pettingzoo.utils import parallel_to_aec

from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.envs.pettingzoo import PettingZooEnv, to_pettingzoo

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # these tests import examples in a way that is deprecated
    from pettingzoo.test import (
        api_test,
        max_cycles_test,
        parallel_api_test,
        parallel_seed_test,
        render_test,
        seed_test,
        state_test,
    )

# PettingZoo advises against unbounded and unequal spaces, but knows only MPE's older tasks by name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*space value is -?infinity"),
    pytest.mark.filterwarnings("ignore:Agents have different observation space sizes"),
    pytest.mark.filterwarnings("ignore:Observations are different shapes"),
    pytest.mark.filterwarnings("ignore:Observation numpy array is all zeros"),  # nobody has spoken yet
]

LENGTH = 4  # of episodes, which is what `max_cycles_test` wants; so each variant is compiled once

VARIANTS = [(name, continuous) for name in ENVS for continuous in (False, True)]


@pytest.fixture(params=VARIANTS, ids=lambda v: f"{v[0]}-{'continuous' if v[1] else 'discrete'}")
def new_env(request: pytest.FixtureRequest) -> Any:
    """() -> a new environment; arguments go to the task."""
    name, continuous = request.param

    def make(max_cycles: int = LENGTH) -> PettingZooEnv:
        return to_pettingzoo(make_env(name, continuous_actions=continuous, max_cycles=max_cycles))

    return make


def test_conformance(new_env: Any) -> None:
    def aec(**arguments: Any) -> Any:
        return parallel_to_aec(new_env(**arguments))

    parallel_api_test(new_env(), num_cycles=LENGTH)
    parallel_seed_test(new_env)
    api_test(aec(), num_cycles=3 * LENGTH)
    seed_test(aec)
    state_test(aec(), new_env())
    max_cycles_test(SimpleNamespace(parallel_env=new_env, env=aec))


def test_same_seed_same_episodes(new_env: Any) -> None:
    """Whole episodes, bit for bit, the second of them after an unseeded reset; another seed gives others."""
    first, again, other = (play_two_episodes(new_env(), seed) for seed in (3, 3, 4))
    assert len(first) == 2 * (LENGTH + 1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert not np.array_equal(first[1], first[LENGTH + 2])


def play_two_episodes(env: PettingZooEnv, seed: int) -> list[np.ndarray]:
    """States and rewards after every reset and step."""
    for k, agent in enumerate(env.possible_agents):
        env.action_space(agent).seed(seed + k)
    seen = []
    for reset_seed in (seed, None):
        env.reset(seed=reset_seed)
        seen.append(env.state())
        while env.agents:
            _, rewards, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
            seen.append(np.concatenate([env.state(), list(rewards.values())]))
    return seen


def test_a_default_episode() -> None:
    env = to_pettingzoo(make_env("simple_tag_v3"))
    assert env.max_cycles == 25
    assert len(play_two_episodes(env, seed=0)) == 2 * (25 + 1)
    env.max_cycles = 7
    assert len(play_two_episodes(env, seed=0)) == 2 * (7 + 1)


@pytest.mark.parametrize("name", ENVS)
def test_pictures(name: str) -> None:
    env = make_env(name, max_cycles=LENGTH)
    render_test(lambda render_mode: parallel_to_aec(to_pettingzoo(env, "rgb_array")))  # which tries "human" first
    zoo = to_pettingzoo(env, "rgb_array")
    zoo.reset(seed=0)
    picture = zoo.render()
    assert picture is not None and picture.std() > 5
    zoo.reset(seed=1)
    assert not np.array_equal(picture, zoo.render())
    zoo.close()


def test_unknown_render_mode() -> None:
    with pytest.raises(ValueError, match="must be None or 'rgb_array'"):
        to_pettingzoo(make_env("simple_v3"), "human")


def test_types_and_the_end() -> None:
    env = to_pettingzoo(make_env("simple_speaker_listener_v4", max_cycles=1))
    obs, infos = env.reset(seed=0)
    assert obs["speaker_0"].dtype == np.float32 and infos == {"speaker_0": {}, "listener_0": {}}
    obs, rewards, terminations, truncations, _ = env.step({"speaker_0": np.int32(2), "listener_0": np.array(4)})
    assert type(rewards["speaker_0"]) is float
    assert truncations == {"speaker_0": True, "listener_0": True}
    assert terminations == {"speaker_0": False, "listener_0": False}
    assert env.agents == [] and env.step({}) == ({}, {}, {}, {}, {})
    with pytest.raises(ValueError, match="call reset"):
        env.step({"speaker_0": 0, "listener_0": 0})


def test_success_terminates() -> None:
    env = to_pettingzoo(make_env("simple_spread_v3", N=1, terminate_on_success=True))
    env.reset(seed=0)
    env._state = env._state._replace(pos=env._state.landmarks)
    _, _, terminations, truncations, _ = env.step({"agent_0": 0})
    assert terminations == {"agent_0": True} and truncations == {"agent_0": False} and env.agents == []


@pytest.mark.parametrize(
    ("continuous", "action", "message"),
    [
        (False, 5, "agent_0 is 5, but must be an integer from 0 to 4"),
        (False, -1, "from 0 to 4"),
        (False, 1.0, "from 0 to 4"),
        (False, None, "from 0 to 4"),
        (True, 3, "5 numbers from 0 to 1"),
        (True, [0.1, 0.2], "5 numbers from 0 to 1"),
        (True, [0, 0, 0, 0, 1.1], "5 numbers from 0 to 1"),
        (True, [0, 0, 0, 0, np.nan], "5 numbers from 0 to 1"),
        (True, "left", "5 numbers from 0 to 1"),
    ],
)
def test_wrong_actions(continuous: bool, action: Any, message: str) -> None:
    env = to_pettingzoo(make_env("simple_v3", continuous_actions=continuous))
    env.reset(seed=0)
    before = env.state()
    with pytest.raises(ValueError, match=message):
        env.step({"agent_0": action})
    assert np.array_equal(env.state(), before)


def test_wrong_agents() -> None:
    env = to_pettingzoo(make_env("simple_reference_v3"))
    env.reset(seed=0)
    with pytest.raises(ValueError, match="actions of agent_0, agent_7, but must be of agent_0, agent_1"):
        env.step({"agent_0": 0, "agent_7": 0})
