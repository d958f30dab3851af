"""Tasks from outside the package: found by name, checked in words, and used like any other."""

import sys
from importlib.metadata import EntryPoint

import jax
import numpy as np
import pytest
import yaml

from jaxmarl_comm import ConfigError, check_env, default_cfg, load_policy, make_env
from jaxmarl_comm.cli import check_main, crossplay_main, evaluate_main, replay_main, report_main, study_main, train_main
from jaxmarl_comm.envs import ENVS, outside
from jaxmarl_comm.envs.checking import check_form
from jaxmarl_comm.envs.grouping import regrouped
from jaxmarl_comm.envs.outside import from_stranger
from jaxmarl_comm.envs.pettingzoo import to_pettingzoo
from runs import TINY, call

OWN = "whispers:Whispers"


def refused(name, **arguments):
    with pytest.raises(ValueError) as told:
        check_env(make_env(name, **arguments))
    lines = getattr(told.value, "mistakes", [str(told.value)])
    assert all("\n" not in line and len(line) < 400 for line in lines)
    return "; ".join(lines)


@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("OneForAll", "reset: reward has shape (), but must have (2,)"),
        ("Hasty", "step returns a state whose t is float32[], but in reset's it is int32[]"),
        ("Undecided", "step fails: TracerBoolConversionError"),
        ("Twins", "an id may be there only once"),
        ("Forgets", "but must be a property: a dictionary of names and numbers"),
        ("Counted", "measures is {'cost': 'dollars'}, but must be a property: a dictionary of names and numbers"),
        ("Rungs", "ladder is (1.0, 2.0), but must be a Ladder, or None"),
        ("Mumbles", "words cannot be read: AttributeError: 'State' object has no attribute 'nothing' (whispers.py, "),
        ("Lost", "world cannot be read: AttributeError: 'State' object has no attribute 'nothing' (whispers.py, "),
        ("Unlucky", "step fails: IndexError: Cannot choose from an empty sequence (whispers.py, line"),
        ("Unfinished", "is no complete task: it lacks action_spaces, agents"),
        ("Undeclared", "has arguments (volume), but no @dataclass(frozen=True, kw_only=True) above it"),
        ("State", "but a task is a class derived from jaxmarl_comm.envs.base.Env"),
        ("Whisper", "whispers has no 'Whisper', did you mean 'Whispers'?"),
    ],
)
def test_mistakes_of_form_are_told_as_the_task_is_made(task, told):
    assert told in refused(f"whispers:{task}")
    with pytest.raises(ConfigError, match="whispers"):
        default_cfg().replace({"env.name": f"whispers:{task}"})


def test_where_in_whose_file_an_error_arose_is_told():
    assert "(whispers.py, line " in refused("whispers:Undecided")


def test_a_file_in_a_clone_of_the_packages_name_is_the_users_own(tmp_path, monkeypatch):
    clone = tmp_path / "jaxmarl_comm"
    clone.mkdir()
    (clone / "unlucky.py").write_text("\n1 / 0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(clone)])
    assert "(unlucky.py, line 2)" in refused("unlucky:Task")


@pytest.mark.long
@pytest.mark.parametrize(
    ("task", "told"),
    [
        ("Counts", "step is not pure"),
        ("KeepsNotes", "the task changes itself as it is played: its max_cycles"),
        ("ThrowsDice", "reset is not pure"),
        ("AlwaysThree", "with numbers 4, reset: the observations of agent has shape (2, 4), but must have (2, 3)"),
        ("Mirrored", "observe shows something else than what step returns"),
        ("OneKeyForAll", "reset uses a key twice"),
        ("OwnClocks", "state_axes says that all environments share t, but it differs between them"),
        ("Impatient", "an episode terminates (at step 3), but ends_early is false"),
        ("Endless", "an episode goes on after max_cycles (6) steps"),
        ("DividesByNothing", "the observations of agent: not every number is finite"),
        ("Boasts", "goals are 5 to 7, but must be -1 (none), or 0 to num_goals - 1 (2)"),
        ("Keeps", "what is computed in a step must be kept in the state, not on the task or elsewhere"),
        ("Careless", "judge fails: ZeroDivisionError: division by zero (whispers.py, line"),
        ("Hurried", "judge gives gap of shape (), but must give (2, 8): of each seed's team in each episode"),
        ("FastAndWrong", "step of many environments (step_many, or a vmap) is not what it is of each in a loop"),
    ],
)
def test_mistakes_of_conduct_are_told_by_check_env(task, told):
    assert told in refused(f"whispers:{task}")


@pytest.mark.long
def test_gradients_that_are_not_finite_are_told():
    told = refused("whispers:SharpCorner", continuous_actions=True)
    assert "gradients of observations and rewards by actions are not all finite" in told


@pytest.mark.long
@pytest.mark.parametrize("continuous", [False, True])
def test_a_task_in_order_is_in_order(continuous):
    check_env(make_env(OWN, continuous_actions=continuous, numbers=4))


@pytest.mark.long
@pytest.mark.parametrize("name", ["Unasked", "Plain"])
def test_what_is_no_mistake_is_none(name):
    check_env(make_env(f"whispers:{name}"))


@pytest.mark.long
def test_a_task_of_the_package_is_in_order():
    check_env(make_env("simple_speaker_listener_v4"))


@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("name", list(ENVS))
def test_the_form_of_the_packages_tasks_is_right(name, continuous):
    check_form(make_env(name, continuous_actions=continuous))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("whisper:Whispers", "there is no module whisper here, nor in the packages that are installed"),
        ("whispers:9", "a task of one's own is module:Class"),
        ("a b:C", "a task of one's own is module:Class"),
        ("whispers", "unknown task 'whispers'"),
        ("broken:Task", "cannot import broken: ZeroDivisionError: division by zero (broken.py, line 2)"),
        ("halfway:Task", "cannot import halfway: SyntaxError"),
        ("needs:Task", "cannot import needs: ModuleNotFoundError: No module named 'not_there_at_all'"),
    ],
)
def test_what_cannot_be_found_or_imported_is_one_line(name, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("# nothing yet\n1 / 0\n")
    (tmp_path / "halfway.py").write_text("class Task(:\n")
    (tmp_path / "needs.py").write_text("import not_there_at_all\n")
    status, error = call(check_main, [name], capsys)
    assert status == 1 and told in error and error.count("\n") == 1
    status, error = call(train_main, ["--env.name", name], capsys)
    assert status == 1 and told in error and error.count("\n") == 1 and "Traceback" not in error


def test_tasks_that_packages_offer_have_names(monkeypatch, capsys):
    point = EntryPoint("whispers_v9", OWN, outside.OFFERED)
    monkeypatch.setattr(outside, "offered", lambda: {"whispers_v9": point})
    assert make_env("whispers_v9", numbers=5) == make_env(OWN, numbers=5)


def test_groups_of_the_users_making_suit_a_task_that_names_its_own():
    env, plain = regrouped(make_env(OWN), "agent"), make_env(OWN)
    check_form(env)
    state, first = env.reset(jax.random.key(0))
    assert list(first.obs) == ["agent_0", "agent_1"]
    after, ts = env.step(jax.random.key(1), state, {"agent_0": state.secret[1:], "agent_1": state.secret[:1] + 1})
    np.testing.assert_array_equal(ts.reward, [1, 0])
    np.testing.assert_array_equal(ts.obs["agent_1"], plain.observe(after)["agent"][1:])


def test_no_code_that_comes_with_a_run_is_imported(tmp_path, monkeypatch):
    """Neither out of its folder, nor out of one around it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for place in (tmp_path / "run", tmp_path / "parcel", tmp_path / "parcel" / "run"):
        place.mkdir()
        (place / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    for name, run in {"run.evil:X": "run", "parcel.evil:X": "parcel/run", "parcel.run.evil:X": "parcel/run"}.items():
        with (
            from_stranger(tmp_path / run),
            pytest.raises(ValueError, match="what comes with a run's folder is not run"),
        ):
            make_env(name)
    monkeypatch.chdir(tmp_path / "run")
    with from_stranger(tmp_path / "run"), pytest.raises(ValueError, match="is not run"):
        make_env("evil:X")
    assert not (tmp_path / "ran").exists() and "evil" not in sys.modules


@pytest.mark.parametrize("name", ["pettingzoo:os:system", "pettingzoo:subprocess:run", "pettingzoo:run.evil"])
def test_a_run_calls_no_functions_as_environments(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    arguments = {"command": f"touch {tmp_path / 'ran'}"}
    with from_stranger(tmp_path / "run"), pytest.raises(ValueError, match=r"may name no functions|is not run"):
        make_env(name, **arguments)
    assert not (tmp_path / "ran").exists()


@pytest.mark.long
def test_it_trains_is_judged_resumed_compared_and_played(tmp_path, monkeypatch, capsys):
    """From the command line, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    small = [f"--{name}={value}" for name, value in {**TINY, "num_iters": 2, "num_envs": 8}.items()]
    small += ["--env.name=whispers:Seated", "--env.numbers=4", "--comm.preset=gumbel", "--num_seeds=2"]
    assert call(check_main, [OWN, "--env.numbers", "4"], capsys) == (0, "")
    assert call(train_main, [*small, "--run-dir=run"], capsys) == (0, "")
    assert call(train_main, ["--resume=run", "--num_iters=3"], capsys) == (0, "")
    assert call(evaluate_main, ["--run=run"], capsys) == (0, "")
    assert call(crossplay_main, ["run"], capsys) == (0, "")
    assert call(replay_main, ["run", "--episodes", "5"], capsys) == (0, "")
    assert call(report_main, ["run"], capsys) == (0, "")
    act = load_policy("run")
    env = to_pettingzoo(act.env)
    observations, _ = env.reset(seed=0)
    while env.agents:
        observations, rewards, *_ = env.step(act(observations))
    assert set(rewards) == {"agent_0", "agent_1"}


@pytest.mark.long
def test_it_is_studied(tmp_path, capsys):
    run = {**TINY, "num_iters": 1, "num_envs": 8, "num_seeds": 1, "env": {"name": OWN}}
    study = {"run": run, "level": 3, "protocols": {"silent": {"preset": "none"}, "words": {"preset": "gumbel"}}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    words = ["--config", tmp_path / "study.yaml", "--run-dir", tmp_path / "study"]
    assert call(study_main, words, capsys) == (0, "")
    assert (tmp_path / "study" / "study.png").exists()
