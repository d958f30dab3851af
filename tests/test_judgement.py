"""What is concluded from a run: intervals, ladders, the untrained team, the value of talk, warnings."""

import numpy as np
import pytest
from scipy.stats import trim_mean

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.evaluation.stats import difference, estimate, over_seeds, rate_over_seeds

REFERENCE, LISTENER, SPREAD = "simple_reference_v3", "simple_speaker_listener_v4", "simple_spread_v3"


# Intervals.


def test_an_interval_holds_nothing_impossible():
    """Four seeds with a code and one without: Student's interval alone would end above the oracle, and above 1."""
    means = np.array([-7.42, -7.41, -7.43, -7.40, -11.4])
    returns = means[:, None] + 8 * np.random.default_rng(0).standard_normal(10_000)
    free, cut = over_seeds(returns), over_seeds(returns, most=-7.36)
    assert free["high"] > -6.1 and cut["low"] == free["low"]
    assert cut["mean"] < cut["high"] <= -7.36 + 3 * 8.2 / 100
    assert rate_over_seeds(np.arange(1000) < np.array([[999], [998], [999], [998], [100]]))["high"] == 1


def test_the_luck_of_all_seeds_common_episodes_is_not_cut():
    returns = np.full((5, 1), -7.3) + np.linspace(-0.01, 0.01, 5)[:, None] + np.tile([8.0, -8.0], 5_000)
    assert over_seeds(returns, most=-7.36) == over_seeds(returns)


def test_success_of_one_seed_is_wilsons():
    found = rate_over_seeds(np.ones((1, 100)))
    assert found["mean"] == 1 and found["high"] == 1
    assert found["low"] == pytest.approx(100 / (100 + 1.959964**2))  # n / (n + z^2), where all succeed


def test_every_seed_is_shown_and_the_middle_half_is_not_moved_by_one():
    values = np.array([-7.4, -7.4, -7.5, -7.3, -16.0])
    found = estimate(values)
    assert found["of_each_seed"] == values.tolist()
    assert found["iqm"] == pytest.approx(trim_mean(values, 0.25)) == pytest.approx(-7.43, abs=0.01)
    assert values.min() <= found["iqm_low"] <= found["iqm"] <= found["iqm_high"] <= values.max()
    assert found == estimate(values)


def test_a_seed_without_a_value_is_left_out_and_said():
    found = estimate(np.array([1.0, np.nan, 3.0]))
    assert found["mean"] == 2 and found["of_each_seed"] == [1, None, 3]
    assert estimate(np.array([np.nan]))["mean"] is None and over_seeds(np.zeros((2, 0)))["mean"] is None


def test_differences_over_seeds_are_welchs_and_over_episodes_paired():
    luck = np.random.default_rng(0).standard_normal((1, 1000))
    paired = difference(luck + 0.5, luck)
    assert paired["low"] == pytest.approx(0.5) == paired["high"]
    seeds = difference(np.array([[1.0], [2.0], [3.0]]), np.array([[0.0], [0.5]]))
    assert seeds["mean"] == pytest.approx(1.75) and seeds["of_each_seed"] == [0.75, 1.75, 2.75]
    # By hand: variances 1/3 and 1/16, 2.64 degrees of freedom, t = 3.44.
    assert (seeds["high"] - seeds["low"]) / 2 == pytest.approx(3.44 * (1 / 3 + 1 / 16) ** 0.5, abs=0.01)


# Ladders.


@pytest.mark.parametrize("task", [REFERENCE, LISTENER, SPREAD])
def test_a_ladder_belongs_to_a_task_with_its_arguments(task):
    assert make_env(task).ladder is not None
    assert make_env(task, max_cycles=10).ladder is None


def test_rungs_are_absent_where_unknown():
    assert make_env(SPREAD).ladder.silent is None and make_env(SPREAD, N=5).ladder is None
    assert make_env(SPREAD, continuous_actions=True).ladder is None
    assert make_env("simple_tag_v3").ladder is None
    for task in (REFERENCE, LISTENER):
        continuous = make_env(task, continuous_actions=True).ladder
        assert continuous.silent is None and continuous.oracle > make_env(task).ladder.oracle
        assert np.isnan(continuous.score(np.array([-6.0]))).all()


def test_who_is_paid_does_not_move_the_mean():
    assert make_env(REFERENCE, local_ratio=0.1).ladder == make_env(REFERENCE).ladder
