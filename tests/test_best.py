"""The best checkpoint of a run: by greedy evaluation in training, kept, found again, and played."""

import math
import shutil

import jax
import numpy as np
import pytest

from jaxmarl_comm import default_cfg, evaluate, load_policy, replay
from jaxmarl_comm.best import Best, Better
from jaxmarl_comm.checkpoint import Checkpoints
from jaxmarl_comm.cli import evaluate_main
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner, teams_of
from runs import SIMPLEST, call

pytestmark = pytest.mark.long

SEEN = {2: [-9.0, -3.0], 4: [-5.0, -3.0], 6: [-4.0, -7.0], 8: [-1.0, -5.0], 10: [-1.0, -5.0]}  # of two seeds
SETTINGS = {**SIMPLEST, "num_iters": 6, "num_seeds": 2, "eval_interval": 2, "lr": 0.1, "lr_schedule": "constant"}


def runner_of(path, **changes):
    """One whose short evaluations see what is written above, in order from where it goes on."""
    folder, cfg = RunFolder.resume(path, changes)
    runner = Runner(cfg, folder)
    first = runner.saved.latest or 0
    seen = iter([-20.0, *(np.array(of_seeds) for iteration, of_seeds in SEEN.items() if iteration > first)])
    runner.quick_evaluate = lambda teams: {"eval_return": next(seen)}  # the first one only compiles
    return runner


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "trained"
    RunFolder.create(path, default_cfg().replace(SETTINGS))
    runner_of(path).run()
    return path


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def best_of(path):
    return Checkpoints(path / "best").iterations


def teams_after(path, which):
    folder, cfg = RunFolder.open(path)
    return jax.tree.leaves(Runner(cfg, folder).load_teams(which)[0])


def test_the_best_is_what_played_at_that_iteration(run):
    """A worse one after it changes nothing."""
    assert best_of(run) == [4] and Checkpoints(run / "checkpoints").iterations == [4, 6]
    folder, cfg = RunFolder.open(run)
    runner = Runner(cfg, folder)
    state, record = runner.saved.states.load_checked(4, runner.saved.like(), runner.saved.check_belongs)
    expected = jax.tree.leaves(teams_of(runner.algorithm, state))
    for left, right in zip(teams_after(run, "best"), expected, strict=True):
        np.testing.assert_array_equal(left, right)
    best = runner.saved.best.record()
    assert best.iteration == 4 and best.greedy_return == -4.0 and record.greedy_return is None
    files = [[file for file in run.rglob(f"{kind}/4/**/*") if file.is_file()] for kind in ("best", "checkpoints")]
    size = [sum(file.stat().st_size for file in of_kind) for of_kind in files]
    assert size[0] < 0.6 * size[1]  # what plays, without critics and optimisers


def test_a_run_that_goes_on_finds_the_best_that_it_would_have_found(run, tmp_path):
    """Whole, or begun again from a state before the best, whose teams are then saved again.

    There they wait to be saved while training goes on in their memory, as no checkpoint is due after them.
    """
    again = tmp_path / "again"
    shutil.copytree(run, again)
    runner_of(run, num_iters=10).run()
    assert best_of(run) == [8]
    shutil.rmtree(again / "checkpoints" / "6")
    (again / "best" / ".6.0123456789abcdef.part").mkdir()
    Checkpoints(again / "best").save(6, [np.zeros(3)], {}, {}, 0.0)  # of a future that never was
    runner_of(again, num_iters=10, checkpoint_interval=100).run()
    assert best_of(again)[-1] == 8 and not list((again / "best").glob(".*"))
    for left, right in zip(teams_after(run, "best"), teams_after(again, "best"), strict=True):
        np.testing.assert_array_equal(left, right)


def test_each_state_that_can_be_gone_on_from_keeps_its_best(tmp_path):
    """A damaged newest state must not leave a run without the best as of the one before."""
    best = Best(tmp_path)
    for iteration, value in ((10, -9.0), (20, -8.0), (35, -7.0), (38, -6.0)):
        best.save(iteration, Better(value, [np.zeros(2)]), {}, {})
    best.forget_before(30)
    assert best.checkpoints.iterations == [20, 35, 38]
    best.rewind(36)
    assert best.checkpoints.iterations == [20, 35] and best.most == -7.0
    (tmp_path / "35" / "record.json").write_text('{"greedy_return": NaN}')
    best.rewind(36)
    assert best.most == -8.0 and best.record().iteration == 20
    best.rewind(5)
    assert best.most == -math.inf and best.record() is None


def test_only_what_is_better_is_the_best(tmp_path):
    best, teams = Best(tmp_path), {"w": np.zeros(2)}
    seen = [[-5.0, -7.0], [-5.0, -7.0], [np.nan, 0.0], [np.inf * 0, 1.0], [-5.5, -6.4]]
    found = [best.better(teams, {"eval_return": np.array(of_seeds)}) for of_seeds in seen]
    assert [x and x.greedy_return for x in found] == [-6.0, None, None, None, -5.95]
    assert found[0].teams["w"] is not teams["w"]
    sides = {"eval_return_good": np.array([9.0]), "eval_return_adversary": np.array([-9.0])}
    assert best.better(teams, sides) is None


def test_the_best_is_played_and_evaluated(run, quick_evaluation, capsys):
    latest, best = (load_policy(run, greedy=False, checkpoint=which) for which in ("latest", "best"))
    start = {agent: np.ones(latest.env.obs_dims["agent"]) for agent in latest.env.agents}
    assert [latest(start) for _ in range(30)] != [best(start) for _ in range(30)]
    assert evaluate(run)["iteration"] == 6
    found = evaluate(run, checkpoint="best")
    assert found["iteration"] == 4 and found["env_steps"] == 4 * 4 * 25
    assert evaluate(run, checkpoint=4)["env_steps"] == 4 * 4 * 25  # a whole state, of the same iteration
    assert call(evaluate_main, ["--run", run, "--checkpoint", "best"], capsys) == (0, "")
    assert (run / "evaluation-4.json").exists()


@pytest.mark.parametrize("play", [load_policy, evaluate, replay])
def test_a_checkpoint_that_is_not_there_is_one_line(run, play):
    with pytest.raises(RunError, match=r"run has no checkpoint 5: there are latest, best, 4, 6"):
        play(run, checkpoint=5)
    shutil.rmtree(run / "best")
    with pytest.raises(RunError, match=r"run has no checkpoint 'best': there are latest, 4, 6"):
        play(run, checkpoint="best")


def test_a_word_that_is_no_checkpoint_is_one_line(run, capsys):
    status, errors = call(evaluate_main, ["--run", run, "--checkpoint", "bset"], capsys)
    said = "'bset' is neither latest, best nor an iteration, did you mean 'best'?"
    assert status == 2 and errors == f"error: argument --checkpoint: {said} (see --help)\n"


def test_a_best_of_another_run_is_named(run):
    record = run / "best" / "4" / "record.json"
    record.write_text(record.read_text().replace('"seed":0', '"seed":7'))
    with pytest.raises(RunError, match=r"checkpoint .*best/4 is of another config: seed differ"):
        load_policy(run, checkpoint="best")
