"""A task that is another while teams learn than where they are judged."""

import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.evaluation.control import inequalities
from jaxmarl_comm.results.record import record_of
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner, train
from jaxmarl_comm.study.config import build_study, programs
from jaxmarl_comm.study.run import run_program
from runs import TINY

LAST_STEPS_ARE_MISSED = {"env.name": "simple_spread_v3", "comm.preset": "none", "train_env.max_cycles": 5}
SHARE = 5 / 25
"""Of what untrained agents return in a whole episode, about: every step costs them much the same."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    cfg = default_cfg().replace({**TINY, **LAST_STEPS_ARE_MISSED, "eval_interval": 2, "lr": 1e-9, "num_envs": 64})
    return train(cfg, RunFolder.create(tmp_path_factory.mktemp("runs") / "run", cfg))


def test_teams_learn_in_the_one_and_are_judged_in_the_other(finished):
    whole = finished.evaluation["return_sampled"]["mean"]
    assert finished.evaluation["untrained"]["return"]["mean"] == pytest.approx(whole, rel=0.3)
    assert finished.evaluation["return_reference"]["mean"] == pytest.approx(whole, rel=0.3)
    for row in finished.metrics:
        assert np.mean(row["return"]) == pytest.approx(SHARE * whole, rel=0.3)
        assert np.mean(row["eval_return"]) == pytest.approx(whole, rel=0.3)


def test_a_record_is_of_the_task_that_teams_are_judged_in(finished):
    record = record_of(finished.run_dir)
    assert record["arguments"] == {} and "--train_env.max_cycles 5" in record["command"]
    assert record["ladder"]["oracle"] is not None


def test_off_policy_rollouts_are_episodes_of_the_one_that_is_learned(tmp_path):
    cfg = default_cfg().replace({**LAST_STEPS_ARE_MISSED, "algorithm": "maddpg", "rollout_len": 5, "hidden_dim": 8})
    runner = Runner(cfg, RunFolder.create(tmp_path / "run", cfg))
    assert runner.env.max_cycles == 25
    with pytest.raises(ValueError, match=r"rollout_len \(25\) must be env.max_cycles \(5\)"):
        cfg.replace(rollout_len=25)


def test_studies_learn_in_it_too():
    run = {**TINY, **LAST_STEPS_ARE_MISSED, "lr": 1e-9, "num_envs": 64}
    (program,) = programs(build_study({"run": run, "variants": {"as it is": {}}}))
    (row,) = run_program(program, None, lambda line: None)
    assert row["curve"]["return"]["mean"][-1] == pytest.approx(SHARE * row["return"]["mean"], rel=0.3)


def test_a_control_that_learned_in_another_is_told_of():
    cfg = default_cfg().replace({"env.name": "simple_spread_v3", "train_env.local_ratio": 0.1})
    control = default_cfg().replace({"env.name": "simple_spread_v3", "comm.preset": "none"})
    assert "train_env" in inequalities(cfg, Held(control))[0]
    assert not inequalities(cfg, Held(control.replace({"train_env.local_ratio": 0.1})))


class Held:
    """As much of a control as its config."""

    def __init__(self, cfg):
        self.cfg, self.source = cfg, "runs/silent"
