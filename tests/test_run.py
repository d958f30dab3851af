"""Whole runs, started as a user starts them."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxmarl_comm import evaluate, train_wrapper
from jaxmarl_comm.banner import closing
from jaxmarl_comm.checkpoint import Checkpoints
from jaxmarl_comm.cli import train_main
from jaxmarl_comm.config import load_config
from jaxmarl_comm.evaluation.reference import play_reference
from jaxmarl_comm.evaluation.yardsticks import Yardsticks
from jaxmarl_comm.repeat import command
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner, teams_of
from runs import ROOT, SIMPLEST, TINY, as_options, call, finish, start

REPORTED = ("return", "success", "score", "message_information", "return_muted", "return_shuffled", "return_reference")
MAIN = ROOT / "configs" / "mappo_ref.yaml"
LONG = {**TINY, "num_iters": 60, "log_interval": 20, "checkpoint_interval": 20, "eval_interval": 40, "num_seeds": 2}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two seeds, during whose training the evaluation begins, as in much longer ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxmarl_comm.runner.LONG", 0.0)
        begun = spied(patch, Yardsticks, "begin")
        result = train_wrapper(load_config(MAIN, LONG), tmp_path_factory.mktemp("runs") / "finished")
    assert begun, "the evaluation waited for the end of training"
    return result


def spied(patch, of, name):
    """The list of the calls of that method from now on."""
    calls, method = [], getattr(of, name)
    patch.setattr(of, name, lambda *given: (calls.append(given), method(*given))[1])
    return calls


def test_a_run_leaves_everything_in_its_folder(finished):
    there = {path.name for path in finished.run_dir.iterdir()}
    assert {"config.yaml", "metrics.jsonl", "checkpoints", "curves.png", "evaluation.json", "report.html"} <= there
    assert (finished.run_dir / "curves.png").read_bytes().startswith(b"\x89PNG")
    rows = [json.loads(line) for line in (finished.run_dir / "metrics.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [20, 40, 60]
    assert rows[-1]["env_steps"] == 60 * 4 * 25
    assert all(len(row["return"]) == 2 for row in rows)
    assert all(np.isfinite(value).all() for row in rows for value in row.values())
    assert "eval_return" in rows[1] and "eval_return" not in rows[0]
    assert {"eval_success", "eval_message_information"} <= set(rows[1])
    assert {"best", "clock.jsonl", "starts.jsonl", "curves.svg"} <= there


def test_a_run_folder_does_not_tell_whose_machine_it_was_made_on(finished):
    """No file has its own path in it, nor the name of the machine, as far as that is no common word."""
    secrets = [str(finished.run_dir.parent), str(ROOT), str(Path.home()) + "/"]
    secrets += [name for name in [platform.node()] if len(name) > 4]
    for file in finished.run_dir.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert not [secret for secret in secrets if secret.encode() in content], file


def test_a_run_says_what_it_was_started_with(finished):
    (start,) = [json.loads(line) for line in (finished.run_dir / "starts.jsonl").read_text().splitlines()]
    assert start["iteration"] == 0 and start["versions"]["jax"] == jax.__version__ and "mpe2" in start["versions"]
    assert start["devices"] == {jax.devices()[0].device_kind: jax.device_count()}
    assert start["time"].endswith("Z") and start["command"] and "commit" in start


def test_a_run_ends_with_its_best_return_and_the_command_that_repeats_it(finished):
    best = Runner(finished.cfg, RunFolder(finished.run_dir)).saved.best.record()
    assert best.iteration == 40 and best.greedy_return == pytest.approx(np.mean(finished.metrics[1]["eval_return"]))
    lines = closing(finished.cfg, Path("runs/my run"), best)
    told = {line[:17].strip(): line[19:] for line in lines}
    assert told["best return"].startswith(f"{best.greedy_return:.2f} (mean over seeds), greedy")
    assert told["to evaluate it"] == "python scripts/evaluate.py --run 'runs/my run' --checkpoint best"
    assert told["to repeat the run"] == command(finished.cfg)
    assert [line.partition("  ")[0] for line in closing(finished.cfg, Path("x"), None)] == ["to repeat the run"]


def test_the_evaluation_has_what_it_must(finished):
    evaluation = json.loads((finished.run_dir / "evaluation.json").read_text())
    for name in REPORTED:
        estimate = evaluation[name]
        assert estimate["low"] <= estimate["mean"] <= estimate["high"], name
    assert evaluation["env_steps"] == 6000
    assert evaluation["iteration"] == 60
    assert set(evaluation["seconds"]) == {"compile", "train", "evaluate"}
    assert evaluation["baselines"]["goal_seekers"]["return"]["mean"] > -9


def test_seeds_differ(finished):
    first, second = finished.metrics[-1]["policy_loss"]
    assert first != second


def test_evaluate_gives_the_same_again(finished):
    again = evaluate(finished.run_dir)
    for key in ("return", "success", "return_reference", "message_information", "untrained", "baselines"):
        assert again[key] == finished.evaluation[key]


def test_returns_in_the_reference_are_those_of_the_team_that_was_saved(finished):
    runner = Runner(finished.cfg, RunFolder(finished.run_dir))
    teams = teams_of(runner.algorithm, runner.load()[0])
    returns = play_reference(runner.cfg, runner.env, runner.algorithm, teams)
    np.testing.assert_allclose(
        finished.evaluation["return_reference"]["of_each_seed"], returns.mean(axis=(1, 2)), rtol=1e-6
    )


@pytest.mark.long
def test_a_killed_run_resumes_bit_for_bit(finished, tmp_path, capsys, quick_evaluation):
    """kill -9 in the middle; then parameters and metrics are those of the run that was never killed.

    What the same parameters are judged to be is the same, as seen above.
    """
    whole, killed = finished.run_dir, tmp_path / "killed"
    process = start("train", "--config", MAIN, *as_options(LONG), "--run-dir", killed)
    while not (killed / "checkpoints" / "20").exists() and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (killed / "evaluation.json").exists(), "the run was over before it was killed"

    assert call(train_main, ["--resume", killed], capsys) == (0, "")
    assert (killed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    clock = RunFolder(killed).read_clock()
    assert list(clock) == [20, 40, 60] and 0 < clock[20] < clock[40] < clock[60]
    starts = [json.loads(line) for line in (killed / "starts.jsonl").read_text().splitlines()]
    assert len(starts) == 2 and starts[0]["iteration"] == 0 < starts[1]["iteration"]
    assert starts[0]["command"].endswith("--run-dir killed") and "--config mappo_ref.yaml" in starts[0]["command"]
    assert_same_checkpoint(whole, killed, 60)
    assert (killed / "evaluation.json").exists()


def assert_same_checkpoint(a, b, iteration):
    states = []
    for path in (a, b):
        state, record = Runner(RunFolder.open(path)[1], RunFolder(path)).load()
        assert record.iteration == iteration
        states.append(jax.tree.leaves(state._replace(key=jax.random.key_data(state.key))))
    for left, right in zip(*states, strict=True):
        np.testing.assert_array_equal(left, right)


def assert_one_line_error(found, message, status=1):
    assert found[0] == status and message in found[1] and found[1].count("\n") == 1, found


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["--num_env", "8"], "unknown option '--num_env', did you mean '--num_envs'?", 2),
        (["--num_envs", "0"], "'num_envs' is 0", 1),
        (["--env.name", "simple_refrence_v3"], "unknown task", 1),
        (["--config", "mappo_rf.yaml"], "no config mappo_rf.yaml", 1),
        (["--lr"], "'--lr' needs a value", 2),
        (["num_envs=8"], "unexpected argument 'num_envs=8'", 2),
        (["--resume"], "--resume needs the run's folder", 1),
        (["--resume", "."], ". is not a run folder", 1),
        (["--resume", "here", "--run-dir", "there"], "goes on in here, so --run-dir there means nothing", 1),
        (["--resume", "nowhere"], "nowhere is not a run folder", 1),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line_and_leaves_nothing(tmp_path, capsys, arguments, message, status):
    run = tmp_path / "run"
    arguments = arguments if "--resume" in arguments else [*arguments, "--run-dir", run]
    assert_one_line_error(call(train_main, arguments, capsys), message, status)
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [(["--config"], "argument --config", 2), (["--num_envs", "0"], "'num_envs' is 0", 1)],
)
def test_a_command_ends_with_the_status_of_its_function(arguments, message, status):
    assert_one_line_error(finish("train", *arguments), message, status)


def test_an_existing_run_folder_is_left_alone(finished, capsys):
    before = sorted(finished.run_dir.rglob("*"))
    assert_one_line_error(call(train_main, [*as_options(TINY), "--run-dir", finished.run_dir], capsys), "exists")
    assert sorted(finished.run_dir.rglob("*")) == before


def test_a_checkpoint_of_another_config_is_refused(finished, capsys):
    arguments = ["--resume", finished.run_dir, *as_options({**LONG, "hidden_dim": 16})]
    assert_one_line_error(call(train_main, arguments, capsys), "another config: hidden_dim differ")


def test_an_evaluation_says_which_checkpoint_it_is_of_and_stands_beside_the_run_s_own(
    finished, tmp_path, capsys, quick_evaluation
):
    run = tmp_path / "run"
    shutil.copytree(finished.run_dir, run)
    victim = max((path for path in (run / "checkpoints" / "60").rglob("*") if path.is_file()), key=os.path.getsize)
    victim.write_bytes(victim.read_bytes()[:100])
    before, beside = (run / "evaluation.json").read_bytes(), next(RunFolder(run).numbered("evaluation", ".json"))
    evaluate(run, seed=7)
    told = capsys.readouterr().out
    assert (
        f"checkpoint {run / 'checkpoints' / '60'} is damaged" in told and "the one before it, of iteration 40" in told
    )
    assert (run / "evaluation.json").read_bytes() == before
    assert json.loads(beside.read_text())["seed"] == 7


@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_output_folder_is_one_line(tmp_path, capsys):
    tmp_path.chmod(0o500)
    found = call(train_main, ["--run-dir", tmp_path / "run"], capsys)
    assert_one_line_error(found, "cannot create run folder")


def test_an_output_folder_below_a_file_is_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    found = call(train_main, ["--run-dir", tmp_path / "file" / "run"], capsys)
    assert_one_line_error(found, "cannot create run folder")


@pytest.mark.long
def test_nan_stops_training_and_keeps_the_last_good_checkpoint(tmp_path):
    run = tmp_path / "run"
    with pytest.raises(
        RunError, match=r"diverged: .* not finite at iteration \d+; the last good checkpoint is that of"
    ):
        train_wrapper({**SIMPLEST, "lr": 1e30, "num_iters": 50}, run)
    good = Checkpoints(run / "checkpoints")
    assert good.latest is not None and good.latest < 50


def test_importing_the_package_is_cheap():
    """It takes less than half of what jax takes, of which nothing is loaded yet."""
    code = """
import sys, time
began = time.process_time()
import jaxmarl_comm
then = time.process_time()
assert "jax" not in sys.modules
import jax
print((then - began) / (time.process_time() - then))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert float(done.stdout) < 0.5
