"""A task that is another while teams learn than where they are judged."""

import json
import shutil

import numpy as np
import pytest

from jaxmarl_comm import default_cfg, evaluate
from jaxmarl_comm.cli import evaluate_main
from jaxmarl_comm.config import ConfigError, differing_keys
from jaxmarl_comm.evaluation.control import inequalities
from jaxmarl_comm.exploiting.plan import Target, responder
from jaxmarl_comm.memory import needed_bytes
from jaxmarl_comm.opponents.taking import create_run
from jaxmarl_comm.options import field_overrides
from jaxmarl_comm.page.curves import _chart
from jaxmarl_comm.page.reading import read_run
from jaxmarl_comm.page.returns import ladder
from jaxmarl_comm.parsers import evaluate_parser
from jaxmarl_comm.repeat import command
from jaxmarl_comm.results.record import record_of
from jaxmarl_comm.run_folder import RunError, RunFolder, report_beside
from jaxmarl_comm.runner import Runner, train
from jaxmarl_comm.study.config import build_study, programs
from jaxmarl_comm.study.run import run_program
from runs import TINY, call

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
    with pytest.raises(ValueError, match=r"rollout_len \(25\) must be train_env.max_cycles \(5\)"):
        cfg.replace(rollout_len=25)


def test_what_a_run_holds_and_counts_is_of_the_one_that_is_learned(tmp_path):
    cfg = default_cfg().replace({**LAST_STEPS_ARE_MISSED, "algorithm": "maddpg", "rollout_len": 5, "hidden_dim": 8})
    ending = {"train_env.terminate_on_success": True}
    assert needed_bytes(cfg.replace(ending))["the replay"][0] > needed_bytes(cfg)["the replay"][0]
    assert Runner(cfg, RunFolder.create(tmp_path / "run", cfg)).console.cycles == 5


def test_the_ladder_stands_beside_returns_of_the_task_alone(finished):
    run = read_run(finished.run_dir)
    charts = [_chart(run, name, "", {"good": name}, 10) for name in ("return", "eval_return")]
    assert [bool(chart["levels"]) for chart in charts] == [False, True]


def test_switches_of_both_variants_need_no_value():
    words = ["--train_env.terminate_on_success", "--no-train_env.curriculum", "--env.curriculum"]
    assert field_overrides(words, evaluate_parser()) == {
        "train_env.terminate_on_success": True,
        "train_env.curriculum": False,
        "env.curriculum": True,
    }


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


def test_a_run_is_evaluated_in_a_task_with_other_arguments(finished, capsys):
    words = ["--run", finished.run_dir, "--episodes", 50, "--episodes-reference", 4, "--env.max_cycles", 50]
    assert call(evaluate_main, words, capsys)[0] == 0
    path = finished.run_dir / "evaluation-1.json"
    found = json.loads(path.read_text())
    assert found["arguments"] == {"max_cycles": 50} and found["episodes"] == 50
    assert found["return"]["mean"] < 1.3 * finished.evaluation["return"]["mean"]
    assert found["return_reference"]["mean"] == pytest.approx(found["return"]["mean"], rel=0.3)
    seen = read_run(finished.run_dir, path)
    assert (seen.env.max_cycles, seen.judged.max_cycles) == (25, 50)
    assert "judged where max_cycles is 50" in report_beside(path).read_text()
    assert "oracle" in ladder(read_run(finished.run_dir)) and "oracle" not in ladder(seen)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env.N", 4], "3 agents learn simple_spread_v3 together, but 4 would be judged"),
        (["--env.num_agent_neighbors", 1], "agents that learn simple_spread_v3 see or do something else"),
        (["--env.local_ratio", 3], "local_ratio is 3, but must lie between 0 and 1"),
        (["--env.max_cycle", 3], "unknown argument 'max_cycle' of simple_spread_v3, did you mean 'max_cycles'?"),
        (["--env.name", "simple_v3"], "env.name stays simple_spread_v3, which teams have learned"),
        (["--num_seeds", 3], "'num_seeds' is no argument of a task: these begin with env."),
    ],
)
def test_what_cannot_be_judged_is_one_line(words, message, finished, capsys):
    before = sorted(finished.run_dir.iterdir())
    status, error = call(evaluate_main, ["--run", finished.run_dir, *words], capsys)
    assert status == 1 and len(error.splitlines()) == 1 and message in error
    assert sorted(finished.run_dir.iterdir()) == before


def test_a_frozen_opponent_plays_each_variant_of_the_task(tmp_path):
    tag = {**TINY, "env.name": "simple_tag_v3", "comm.preset": "none"}
    teacher = default_cfg().replace({**tag, "num_iters": 2, "agent_groups": "agent"})
    Runner(teacher, RunFolder.create(tmp_path / "teacher", teacher)).run()
    cfg = default_cfg().replace(
        {
            **tag,
            "env.terminate_on_success": True,
            "train_env.terminate_on_success": False,
            "opponents.adversary": f"{tmp_path / 'teacher'}:0",
            "num_iters": 2,
        }
    )
    with pytest.raises(RunError, match="terminate_on_success"):  # which the teacher did not learn
        create_run(tmp_path / "other", cfg)
    cfg = cfg.replace({"env.terminate_on_success": False, "train_env.terminate_on_success": True})
    folder = create_run(tmp_path / "run", cfg)
    train(cfg, folder)
    longer = evaluate(folder.path, episodes=20, env={"max_cycles": 50})
    assert longer["arguments"] == {"terminate_on_success": False, "max_cycles": 50}


def test_null_is_a_value_of_an_argument_like_others():
    near = {"env.name": "simple_spread_v3", "env.num_agent_neighbors": 2}
    cfg = default_cfg().replace(near)
    other = cfg.replace({"train_env.num_agent_neighbors": None})
    assert differing_keys(cfg, other) == ["train_env.num_agent_neighbors"]
    assert command(other).endswith("--train_env.num_agent_neighbors null")
    assert cfg.other_arguments({"num_agent_neighbors": None}) == {"num_agent_neighbors": None}
    assert "null" not in command(default_cfg().replace({"teams": {"good": {"lr": 1e-3}}}))


@pytest.mark.parametrize("arguments", [{"name": "simple_v3"}, {"N": "x"}, {"N": 4}, []])
def test_hostile_arguments_of_an_evaluation_are_one_line(arguments, finished, tmp_path):
    path = tmp_path / "evaluation-9.json"
    content = json.loads((finished.run_dir / "evaluation.json").read_text())
    path.write_text(json.dumps({**content, "arguments": arguments}))
    with pytest.raises(RunError, match="is damaged"):
        read_run(finished.run_dir, path)


def test_an_evaluation_in_another_task_is_no_record_of_a_run(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished.run_dir, copy)
    content = json.loads((copy / "evaluation.json").read_text())
    (copy / "evaluation.json").write_text(json.dumps({**content, "arguments": {"max_cycles": 50}}))
    with pytest.raises(RunError, match="is of a task with other arguments than"):
        record_of(copy)


def test_a_study_does_not_compare_steps_to_returns_of_several_tasks():
    study = {"run": LAST_STEPS_ARE_MISSED, "variants": {"whole": {"train_env.max_cycles": 25}}}
    build_study(study)
    with pytest.raises(ConfigError, match=r"'whole' changes train_env\.max_cycles, so that its returns in training"):
        build_study({**study, "level": -20})


def test_who_responds_meets_a_side_in_the_task_that_it_learned():
    with pytest.raises(ConfigError, match=r"train_env\.max_cycles cannot be changed"):
        responder(default_cfg(), Target(side="good", seed=0), "runs/x", 1, {"train_env.max_cycles": 5})
