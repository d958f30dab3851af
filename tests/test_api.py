"""What notebooks call: configs as dictionaries, errors in one line, runs that go on, sizes that cannot be."""

import json

import pytest

import jaxmarl_comm
from jaxmarl_comm import Config, ConfigError, RunError, default_cfg, evaluate, resume, train_wrapper
from jaxmarl_comm.config import differing_keys
from jaxmarl_comm.memory import check_memory
from jaxmarl_comm.run_folder import RunFolder
from learners import lively_run

TINY = {
    "env.name": "simple_v3",
    "comm.preset": "none",
    "num_iters": 1,
    "num_envs": 4,
    "num_minibatches": 2,
    "hidden_dim": 8,
    "rollout_len": 5,
    "log_interval": 1,
    "eval_episodes": 10,
    "eval_episodes_reference": 0,
}


def test_all_public_names_are_there():
    assert all(getattr(jaxmarl_comm, name) for name in jaxmarl_comm.__all__)
    assert jaxmarl_comm.__version__[0].isdigit()


def test_a_config_made_by_hand_is_as_strict_as_any():
    with pytest.raises(ConfigError, match="unknown key 'num_env', did you mean 'num_envs'"):
        Config(num_env=3)
    assert Config(clip_param=0.3, comm={"preset": "none"}).clip_eps == 0.3


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"lrr": 1}, "unknown key 'lrr'"),
        ({"env": "simple_spread_v3"}, "env: {name: NAME}"),
        ({1: 2}, "unknown key 1"),
        (["lr"], "a config is a Config or a dictionary"),
        (None, "a config is a Config or a dictionary"),
        ({"eval_episodes": 10**9}, "the evaluation needs at least"),
    ],
)
def test_a_wrong_config_is_one_line_and_makes_no_folder(cfg, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train_wrapper(cfg, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"num_envs": 2**30},
        {"hidden_dim": 2**16, "num_seeds": 100},
        {"comm.delay": 2**31 - 1},
        {"env.max_cycles": 10**9},
        {"num_seeds": 2**31 - 1},
    ],
)
def test_what_cannot_fit_is_refused_with_its_size(changes):
    with pytest.raises(ConfigError, match=r"needs at least [\d,.]+ GB of memory, but there are [\d,.]+ GB: num_seeds"):
        check_memory(default_cfg().replace(changes))


def test_what_the_critics_see_of_a_rollout_is_counted(monkeypatch):
    """Each of 50 agents' critics sees what all 50 see: 49 times what a rollout itself holds."""
    monkeypatch.setattr("jaxmarl_comm.memory.memory_of_machine", lambda: 25 * 10**9)
    many = default_cfg().replace({"env.name": "simple_spread_v3", "env.N": 50})
    with pytest.raises(
        ConfigError, match=r"critics see it needs .* 25\.0 GB: num_seeds is 1, num_envs .* agents is 50"
    ):
        check_memory(many)
    check_memory(many.replace({"num_envs": 128}))


def test_a_run_is_made_extended_and_evaluated_from_python(tmp_path, quick_evaluation):
    done = train_wrapper(TINY, tmp_path / "run")
    assert done.cfg == default_cfg().replace(TINY)
    longer = resume(done, num_iters=2)
    assert differing_keys(longer.cfg, done.cfg) == ["num_iters"]
    assert [row["iteration"] for row in longer.metrics] == [1, 2]
    with pytest.raises(RunError, match="lr differ"):
        resume(tmp_path / "run", lr=1.0)
    with pytest.raises(RunError, match="lr differ"):
        resume(done, longer.cfg, lr=1.0)

    own = (tmp_path / "run" / "evaluation.json").read_bytes()
    again = evaluate(done, episodes=20, seed=7, output=tmp_path / "seven.json")
    assert again["seed"] == 7 and again["episodes"] == 20
    assert json.loads((tmp_path / "seven.json").read_text())["seed"] == 7
    assert (tmp_path / "run" / "evaluation.json").read_bytes() == own
    with pytest.raises(RunError, match=r"seven\.json exists"):
        evaluate(done, output=tmp_path / "seven.json")
    with pytest.raises(ConfigError, match="'eval_episodes' is 0"):
        evaluate(done, episodes=0)


def test_a_run_whose_own_control_is_unfinished_is_evaluated_without_it(tmp_path, quick_evaluation, capsys):
    done = lively_run(tmp_path / "run", **TINY)
    control = RunFolder.create(done / "control", RunFolder.open(done)[1])
    capsys.readouterr()
    assert evaluate(done, seed=7)["seed"] == 7
    (said,) = (line for line in capsys.readouterr().out.splitlines() if "evaluating without its own control" in line)
    assert said.endswith("has no checkpoint yet")
    with pytest.raises(RunError, match="has no checkpoint yet"):
        evaluate(done, control=control.path)
