"""Runs of populations: what they leave, what goes on where, and what others make of them."""

import json
import shutil

import jax
import numpy as np
import pytest

from jaxmarl_comm import crossplay, evaluate, evolve, load_policy, resume
from jaxmarl_comm.cli import train_main
from jaxmarl_comm.evolution.fittest import shortest
from jaxmarl_comm.evolution.run import PopulationRunner
from jaxmarl_comm.page.reading import read_run
from jaxmarl_comm.repeat import trained_as
from jaxmarl_comm.results.record import record_of
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner
from learners import same
from runs import EVOLVING, FEW_OF_REPLAY, TINY, call

pytestmark = pytest.mark.long


RUN = {**TINY, **EVOLVING, "evolution.ranges": {"lr": [1e-3, 1e-1]}, "num_seeds": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return evolve(RUN, tmp_path_factory.mktemp("evolution") / "run")


def test_a_run_leaves_populations_and_the_fittest(run):
    rows = [row for row in run.metrics if "fitness" in row]
    assert [row["iteration"] for row in rows] == [2, 4, 6]
    assert ["parent" in row for row in rows] == [True, True, False]
    assert all(len(row["fitness"]) == 8 for row in rows)
    assert (run.run_dir / "generations.svg").exists()
    np.testing.assert_allclose(np.ravel(run.fitness), rows[-1]["fitness"], rtol=1e-6)
    assert run.fittest.run_dir == run.run_dir / "fittest"
    assert run.fittest.cfg.num_seeds == 2
    assert len(run.fittest.evaluation["return"]["of_each_seed"]) == 2


def test_the_fittest_are_what_plays(run):
    fittest = np.argmax(run.fitness, axis=1) + np.array([0, 4])
    for seed, place in enumerate(fittest):
        state, _ = Runner(run.fittest.cfg, RunFolder(run.fittest.run_dir)).load()
        theirs = jax.tree.map(lambda x, seed=seed: x[seed], state.params.policy)
        assert same(theirs, jax.tree.map(lambda x, place=place: x[place], run.teams.params))
    assert evaluate(run.run_dir, 30)["return"]["mean"] == evaluate(run.fittest, 30)["return"]["mean"]
    assert load_policy(run.run_dir)


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir, copy)
    shutil.rmtree(copy / "checkpoints" / "6")
    shutil.rmtree(copy / "fittest")
    with pytest.raises(RunError, match="has not come to its end: go on with --resume"):
        evaluate(copy)
    resume(copy)
    assert (copy / "metrics.jsonl").read_bytes() == (run.run_dir / "metrics.jsonl").read_bytes()
    files = [json.loads((of / "fittest" / "evaluation.json").read_text()) for of in (run.run_dir, copy)]
    assert files[0]["return"] == files[1]["return"]
    ours, theirs = (PopulationRunner(run.cfg, RunFolder(of)).load()[0] for of in (run.run_dir, copy))
    assert same(plain(ours), plain(theirs))


def test_a_finished_evolution_is_judged_anew_in_as_many_episodes_as_are_asked(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir, copy)
    resume(copy, {"eval_episodes": run.cfg.eval_episodes + 3})
    judged = json.loads((copy / "fittest" / "evaluation.json").read_text())
    assert judged["episodes"] == run.cfg.eval_episodes + 3
    assert RunFolder.read(copy / "fittest")[1].eval_episodes == run.cfg.eval_episodes + 3


def test_populations_that_go_on_keep_the_fittest_of_the_end_before(run, tmp_path, capsys):
    """With all that was made of them; until there is a new end, nobody is taken for the fittest."""
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir, copy)
    resume(copy / "fittest", num_iters=12)  # further than the populations
    (copy / "fittest" / "notes.txt").write_text("mine")
    with RunFolder(copy / "fittest").locked(), pytest.raises(RunError, match="fittest is in use by process"):
        resume(copy, num_iters=10)
    before = (copy / "fittest" / "metrics.jsonl").read_bytes()
    cfg = RunFolder.resume(copy, {"num_iters": 10})[1]
    with RunFolder(copy).locked():
        PopulationRunner(cfg, RunFolder(copy)).begin()  # and then somebody pulls the plug
    assert f"are in {copy / 'fittest-1'} from now on" in capsys.readouterr().out
    with pytest.raises(RunError, match="has not come to its end"):
        evaluate(copy)
    found = resume(copy)
    assert (copy / "fittest-1" / "metrics.jsonl").read_bytes() == before
    assert (copy / "fittest-1" / "notes.txt").read_text() == "mine"
    assert found.cfg.num_iters == 10 and not (copy / "fittest" / "notes.txt").exists()
    assert resume(copy).run_dir == copy / "fittest" and not (copy / "fittest-2").exists()


def test_pages_give_the_command_of_the_populations(run, tmp_path):
    """Not that of one member, who would come to something else; and the steps are those of all members."""
    inner = run.run_dir / "fittest"
    for path in (run.run_dir, inner):
        assert trained_as(path) == run.cfg
        assert read_run(path).trained == run.cfg
        record = record_of(path)
        assert "--evolution.population_size 4" in record["command"]
        assert record["env_steps"] == 4 * run.cfg.env_steps
    alone = tmp_path / "fittest"
    shutil.copytree(inner, alone)
    assert trained_as(alone) == RunFolder.read(alone)[1]
    assert not trained_as(alone).evolves


def test_what_was_crossed_of_populations_is_found_in_their_records(run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(run.run_dir, copy)
    crossplay([copy], 5)
    assert record_of(copy)["crossplay"]["episodes"] == 5
    with pytest.raises(RunError, match="named twice"):
        crossplay([copy, copy / "fittest"], 5)


def test_numbers_of_32_bits_are_told_in_few_digits():
    for number in (0.005, 1.7e-4, 0.2, 1 / 3, 3.0):
        assert np.float32(shortest(np.float32(number))) == np.float32(number)
    assert [shortest(np.float32(x)) for x in (0.005, 1.7e-4, 3.0)] == [0.005, 1.7e-4, 3.0]


def test_members_that_share_a_replay_leave_a_run_like_any_other(tmp_path):
    shared = {
        **FEW_OF_REPLAY, **EVOLVING, "env.name": "simple_v3", "comm.preset": "none", "learning_delay": 50,
        "replay_ratio": 8.0, "max_replay_ratio": 8.0, "max_batch_size": 50,
        "buffer_size": 800, "eval_episodes": 20, "eval_episodes_reference": 4, "num_iters": 6,
        "evolution.share_replay": True, "evolution.random_start": True,
        "evolution.ranges": {"batch_size": [20, 50], "replay_ratio": [2, 8]},
    }  # fmt: skip
    found = evolve(shared, tmp_path / "run")
    cfg, rows = found.fittest.cfg, [row for row in found.metrics if "fitness" in row]
    assert cfg.buffer_size == 200 and cfg.slots == found.cfg.slots == 4
    fittest = int(np.argmax(found.fitness[0]))
    assert cfg.batch_size == rows[-1]["member/batch_size"][fittest]
    assert cfg.replay_ratio == pytest.approx(rows[-1]["member/replay_ratio"][fittest])
    assert (cfg.updates, cfg.windows) == (found.cfg.updates, found.cfg.windows)
    longer = resume(found.fittest.run_dir, num_iters=8)
    assert longer.metrics[-1]["iteration"] == 8


def plain(tree):
    """With numbers for keys."""
    is_key = [jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) for x in jax.tree.leaves(tree)]
    return [jax.random.key_data(x) if k else x for x, k in zip(jax.tree.leaves(tree), is_key, strict=True)]


TOO_MANY = ["--evolution.population_size", 4096, "--num_envs", 500_000, "--num_minibatches", 1]
TOO_LONG = ["--evolution.population_size", 4, "--evolution.fitness_episodes", 2_000_000_000]


@pytest.mark.parametrize(
    ("words", "blamed"),
    [(TOO_MANY, "evolution.population_size is 4,096"), (TOO_LONG, "evolution.fitness_episodes is 2,000,000,000")],
)
def test_what_no_memory_holds_is_refused_before_the_start(words, blamed, tmp_path, capsys):
    status, errors = call(train_main, [*words, "--run-dir", tmp_path / "run"], capsys)
    assert status == 1
    assert blamed in errors
    assert not (tmp_path / "run").exists()
