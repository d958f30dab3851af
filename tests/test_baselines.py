"""The scripted team that knows all goals stands where the ladder says, however it moves."""

import jax
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.simple_spread import SimpleSpread
from jaxmarl_comm.envs.mpe.world import World
from jaxmarl_comm.evaluation.baselines import play_baselines


@pytest.mark.parametrize(
    ("task", "skilled"),
    [
        ("simple_v3", ["goal_seekers"]),
        ("simple_formation_v1", ["place_takers"]),
        ("collect_treasure_v1", ["carriers"]),
        ("simple_tag_v3", []),
        ("microgrid_v0", []),
    ],
)
def test_a_team_is_held_against_those_who_know_its_task(task, skilled):
    played = play_baselines(Batch(make_env(task), 2), jax.random.key(0))
    assert list(played) == ["random", *skilled]


class TooManyPlaces(SimpleSpread):
    """A task of somebody's own, in which not everything can be covered."""

    @property
    def world(self):
        return World(agents=super().world.agents, landmarks=super().world.landmarks * 2)


def test_nobody_takes_places_that_are_more_than_agents():
    assert list(play_baselines(Batch(TooManyPlaces(), 2), jax.random.key(0))) == ["random"]


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("task", ["simple_reference_v3", "simple_speaker_listener_v4"])
def test_the_oracle_comes_near_the_ladders_top(task, continuous):
    env = make_env(task, continuous_actions=continuous)
    played = play_baselines(Batch(env, 4_000), jax.random.key(0))
    returns = np.asarray(played["goal_seekers"].returns)
    # the mean of 4,000 episodes has a standard error of up to 0.13
    assert returns.mean() == pytest.approx(env.ladder.oracle, abs=0.4)
    assert returns.mean() > np.asarray(played["random"].returns).mean() + 15
