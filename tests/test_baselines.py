"""The scripted team that knows all goals stands where the ladder says, however it moves."""

import jax
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.baselines import play_baselines


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("task", ["simple_reference_v3", "simple_speaker_listener_v4"])
def test_the_oracle_comes_near_the_ladders_top(task, continuous):
    env = make_env(task, continuous_actions=continuous)
    played = play_baselines(Batch(env, 4_000), jax.random.key(0))
    returns = np.asarray(played["oracle"].returns)
    # the mean of 4,000 episodes has a standard error of up to 0.13
    assert returns.mean() == pytest.approx(env.ladder.oracle, abs=0.4)
    assert returns.mean() > np.asarray(played["random"].returns).mean() + 15
