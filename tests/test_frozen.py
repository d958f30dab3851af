"""Sides out of finished runs as opponents: they play what they learned, remember, never change, and stay."""

import shutil
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxmarl_comm import RunError, evaluate, load_policy
from jaxmarl_comm.checkpoint import CheckpointError
from jaxmarl_comm.cli import train_main
from jaxmarl_comm.config import ConfigError, default_cfg
from jaxmarl_comm.crossing.entries import load_run
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.against import Side, against, opponent_of
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import team_actor
from jaxmarl_comm.opponents.copies import facing_copies, load_copies
from jaxmarl_comm.opponents.taking import create_run, split_place, take
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner, create_control, load_control
from jaxmarl_comm.scripted import make_side
from jaxmarl_comm.study.config import StudyConfig, programs
from learners import FEW, lively_run
from runs import call

pytestmark = pytest.mark.long

TASK = {"env.name": "simple_adversary_v3", "env.max_cycles": 4}
REMEMBERING = {"net.memory": "gru", "comm.preset": "commnet", "comm.delay": 2, "agent_groups": "agent"}
E = 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Name -> run folder, of parameters that were never trained."""
    folder = tmp_path_factory.mktemp("runs")
    silent = TASK | {"comm.preset": "none"}
    return {
        "talkers": lively_run(folder / "talkers", **TASK, **REMEMBERING, num_seeds=2),
        "alone": lively_run(folder / "alone", **silent | {"opponents": {"adversary": "stay"}}),
        "longer": lively_run(folder / "longer", **silent | {"env.max_cycles": 5}),
        "overheard": lively_run(folder / "overheard", **TASK | {"comm.route": "all"}),
        "ill": lively_run(folder / "ill", lambda s: s._replace(params=jax.tree.map(lambda x: x * np.nan, s.params)),
                          **silent),
    }  # fmt: skip


def config(place, **changes):
    return default_cfg().replace({**FEW, **TASK, "comm.preset": "none", "opponents": {"good": str(place)}, **changes})


@pytest.fixture(scope="module")
def env(runs, tmp_path_factory):
    """What an adversary learns in, against the second seed's good agents."""
    folder = create_run(tmp_path_factory.mktemp("new") / "run", cfg := config(f"{runs['talkers']}:1"))
    return facing_copies(cfg.make_env(), cfg, folder.opponents)


def test_a_frozen_side_plays_what_its_run_plays(runs, env):
    """The same states and memories for two episodes, as where its own run's actor acts for it, restarted by hand."""
    run = load_run(runs["talkers"], "talkers")
    batch, whole, own = Batch(env, E), Batch(env.task, E), Batch(run.env, E)
    actor = team_actor(own, run.algorithm, run.teams[1], jax.numpy.array(False))
    moves = jax.random.randint(jax.random.key(1), (2 * env.max_cycles, E, 1), 0, 5)

    def step(carry, now):
        (state, same, memory), (adversary, key) = carry, now
        state, ts = batch.step(key, state, {"adversary": adversary})
        side_key = jax.random.fold_in(jax.random.split(key, E)[0], 1)
        seen = own.observe(same)
        act = actor.act(side_key, same, seen, memory, lambda heard: heard)
        actions = {
            "adversary": adversary,
            "agent": jax.numpy.stack([act.actions[f"agent_{k}"][:, 0] for k in (0, 1)], 1),
        }
        same, all_ts = whole.step(key, same, actions)
        compared = (state, same, act.memory, ts.reward, all_ts.reward)
        restart = jax.random.fold_in(key, 2)
        state, _ = batch.restart_if_over(restart, state, ts)
        same, _ = whole.restart_if_over(restart, same, all_ts)
        memory = jax.tree.map(lambda new, old: jax.numpy.where(ts.truncated, new, old), actor.memory(E), act.memory)
        return (state, same, memory), compared

    @jax.jit
    def both():
        begin = (batch.reset(jax.random.key(0))[0], whole.reset(jax.random.key(0))[0], actor.memory(E))
        return jax.lax.scan(step, begin, (moves, jax.random.split(jax.random.key(2), len(moves))))[1]

    state, same, memory, rewards, all_rewards = jax.device_get(both())
    close = lambda x, y: np.testing.assert_allclose(x, y, atol=1e-5)  # noqa: E731
    jax.tree.map(close, (state.task, state.memory), (same, memory))
    np.testing.assert_allclose(rewards, all_rewards[..., :1], atol=1e-5)
    cells = next(iter(jax.tree.leaves(memory.recalled["agent_0"])))
    assert np.abs(cells).min() > 0 and np.abs(memory.channel.mail.message[1]).max() > 0  # there was something to carry


@pytest.mark.parametrize("ends_early", [False, True])
def test_a_side_forgets_where_an_episode_ends(ends_early):
    """In lockstep all copies at once; where they end by themselves, each for itself."""
    task = make_env("simple_tag_v3", max_cycles=2, terminate_on_success=ends_early)
    stay = make_side("stay", task, 0)
    counting = Side(
        "counting", lambda key, state, obs, n: (stay(key, state, obs), n + 1), lambda num: np.zeros(num, int)
    )
    batch = Batch(against(task, {"good": "./run"}, {"good": counting}), E)

    @jax.jit
    def steps():
        state, _ = batch.reset(jax.random.key(0))
        counts = [state.memory]
        for k in range(3):
            state, ts = batch.step(jax.random.key(k), state, {"adversary": np.zeros((E, 3), int)})
            counts.append(state.memory)
            if ends_early and k == 0:
                ts = ts._replace(terminated=np.array([True, False, False]))
            state, _ = batch.restart_if_over(jax.random.key(k), state, ts)
        return jax.numpy.stack(counts)

    expected = [[0, 0, 0], [1, 1, 1], [1, 2, 2], [2, 1, 1]] if ends_early else [[0] * 3, [1] * 3, [2] * 3, [1] * 3]
    np.testing.assert_array_equal(steps(), expected)


def test_two_opponents_are_the_same_if_they_act_the_same(runs, env):
    again, other = (load_copies_of(f"{runs['talkers']}:{seed}") for seed in (1, 0))
    assert opponent_of(env).name.endswith(f"talkers:1 ({again.fingerprint})") and again.fingerprint != other.fingerprint
    assert opponent_of(config("./unread").make_env()) != opponent_of(env) and opponent_of(env.task) is None


def load_copies_of(place):
    return take(config(place), "good", place)


# In a run.


@pytest.fixture
def short(quick_evaluation):
    return {"num_iters": 2, "log_interval": 1, "checkpoint_interval": 1, "rollout_len": 3, "eval_interval": 0}


def test_a_run_goes_on_bit_for_bit_without_its_opponent_s_folder(runs, tmp_path, short):
    """Two copies of a new run, one interrupted: opponents stay as they were, and are never looked for again."""
    source, (whole, broken) = tmp_path / "source", (tmp_path / "whole", tmp_path / "broken")
    shutil.copytree(runs["talkers"], source)
    cfg = config(source, **short)
    create_run(whole, cfg)
    shutil.copytree(whole, broken)
    shutil.rmtree(source)
    before = files_of(whole / "opponents")
    runner = Runner(*reversed(RunFolder.open(whole)))
    runner.run()
    stopped = Runner(*reversed(RunFolder.open(broken)))
    stopped.chunks = runner.chunks
    state, done = stopped.begin()
    assert stopped.advance(state, done, lambda: True)[1] == 1
    resumed = Runner(*reversed(RunFolder.open(broken)))
    resumed.chunks, resumed.compile_programs = runner.chunks, lambda *_: None
    resumed.run()
    assert (whole / "metrics.jsonl").read_bytes() == (broken / "metrics.jsonl").read_bytes()
    states = [jax.device_get(r.load()[0]) for r in (runner, resumed)]
    for a, b in zip(*(jax.tree.leaves(s._replace(key=jax.random.key_data(s.key))) for s in states), strict=True):
        np.testing.assert_array_equal(a, b)
    assert before == files_of(whole / "opponents") == files_of(broken / "opponents")
    assert before and set(load_policy(whole)(observed(runner.env))) == {"adversary_0"}
    assert evaluate(broken)["episodes"] == cfg.eval_episodes


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def observed(env):
    return {agent: np.zeros(env.obs_dims["adversary"], np.float32) for agent in env.agents}


def test_a_control_is_against_the_same_opponent(runs, tmp_path):
    """It takes the run's own copy; a control that was trained against another state of the opponent is refused."""
    source = tmp_path / "source"
    shutil.copytree(runs["talkers"], source)
    cfg = config(source)
    folder = create_run(tmp_path / "run", cfg)
    shutil.rmtree(source)
    control = create_control(folder.control, cfg, folder)
    copies = [load_copies(cfg, of.opponents)["good"].fingerprint for of in (folder, control)]
    assert copies[0] == copies[1]
    shutil.copytree(lively_run(tmp_path / "later", **TASK, **REMEMBERING, num_seeds=2, seed=1), source)
    create_run(tmp_path / "other", cfg)
    with pytest.raises(RunError, match="against another state of the same opponent"):
        load_control(tmp_path / "other", Runner(cfg, folder))


def test_a_damaged_or_missing_copy_is_one_line(runs, tmp_path):
    cfg = config(runs["talkers"])
    folder = create_run(tmp_path / "run", cfg)
    record = next((folder.opponents / "good").rglob("record.json"))
    record.write_text(record.read_text().replace('"num_seeds":2', '"num_seeds":x'))
    with pytest.raises(CheckpointError, match=r"is damaged \(file record.json\)"):
        Runner(cfg, folder)
    shutil.rmtree(folder.opponents)
    with pytest.raises(RunError, match="holds no copy of the opponent"):
        Runner(cfg, folder)
    folder.opponents.symlink_to(tmp_path)
    with pytest.raises(RunError, match="is not a folder: links"):
        RunFolder.open(folder.path)


# Mistakes.


def test_places():
    assert split_place("runs/a:2") == (Path("runs/a"), 2) and split_place("runs/a") == (Path("runs/a"), 0)
    assert split_place("runs/a:b") == (Path("runs/a:b"), 0)


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        ("no/where", {}, "opponents.good is no/where: no/where is not a run folder"),
        ("{talkers}:2", {}, "talkers:2: there is no seed 2: those of"),
        ("{talkers}:-1", {}, "talkers:-1 is not a run folder"),
        ("{longer}", {}, "longer was trained on another task: env.max_cycles differ"),
        ("{alone}", {}, "alone has trained good alone, so it has nobody to play adversary"),
        ("{overheard}", {}, "overheard cannot be split: its channel crosses teams"),
        ("{ill}", {}, "seed 0 of"),
        ("talkers", {}, "no scripted side 'talkers' plays good"),
        ("{talkers}", {"env.name": "simple_reference_v3"}, "the teams of simple_reference_v3 are good"),
    ],
)
def test_a_wrong_opponent_is_one_line_and_leaves_nothing(runs, tmp_path, capsys, place, changes, message):
    team = "adversary" if changes or "alone" in place else "good"
    settings = {"env.max_cycles": 4, "comm.preset": "none"} | changes
    options = [
        word for key, value in ({"env.name": TASK["env.name"]} | settings).items() for word in (f"--{key}", value)
    ]
    status, error = call(
        train_main, [*options, f"--opponents.{team}", place.format(**runs), "--run-dir", tmp_path / "new"], capsys
    )
    assert status == 1 and message in error and error.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_an_unfinished_opponent_and_a_study_are_one_line(runs, tmp_path):
    unfinished = tmp_path / "unfinished"
    shutil.copytree(runs["talkers"], unfinished)
    text = (unfinished / "config.yaml").read_text()
    (unfinished / "config.yaml").write_text(text.replace("num_iters: 1\n", "num_iters: 9\n"))
    with pytest.raises(RunError, match="unfinished has done 1 of 9 iterations; --resume it first"):
        create_run(tmp_path / "new", config(unfinished))
    task = {"name": TASK["env.name"]}
    study = StudyConfig(run={"env": task, "opponents": {"good": "./run"}}, protocols={"a": {"preset": "none"}})
    with pytest.raises(ConfigError, match="a study keeps no run folders"):
        list(programs(study))
