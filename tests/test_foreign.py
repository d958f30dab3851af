"""PettingZoo environments of others: what is played here is what Python plays, whoever asks, and in whatever order."""

import os
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from gymnasium import spaces

from foreign_tasks import Reaching, Walk
from jaxmarl_comm import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.foreign.failure import told_in_one_line
from jaxmarl_comm.envs.foreign.host import host_of
from jaxmarl_comm.envs.foreign.spaces import actor
from jaxmarl_comm.envs.grouping import regrouped
from jaxmarl_comm.files import RunError
from jaxmarl_comm.memory import check_memory
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import train
from jaxmarl_comm.settings import ConfigError
from runs import SIMPLEST, finish

COPIES, STEPS = 3, 11
WALK = "pettingzoo:foreign_tasks"


def toy(name):
    return f"{WALK}:{name}"


def make(name=WALK, **arguments):
    return make_env(name, **{"num_workers": 2} | arguments)


def random_actions(env, key):
    keys = jax.random.split(key, len(env.groups))
    return {
        group: jax.random.uniform(k, (COPIES, len(where), *space.shape)) if space.continuous
        else jax.random.randint(k, (COPIES, len(where)), 0, space.n)
        for k, (group, where) in zip(keys, env.groups.items(), strict=True)
        for space in [env.action_spaces[group]]
    }  # fmt: skip


def played(env, key, steps=STEPS):
    """Steps of random actions: [(state, actions, true time step, flags)], from the first on."""
    batch = Batch(env, COPIES)

    def run(key):
        def step(carry, key):
            state, _ = carry
            act_key, env_key, restart_key = jax.random.split(key, 3)
            actions = random_actions(env, act_key)
            after, ts = batch.step(env_key, state, actions)
            return batch.restart_if_over(restart_key, after, ts), (batch.unshared(state), actions, ts)

        state, first = batch.reset(key)
        return jax.lax.scan(step, (state, first.obs), jax.random.split(key, steps))[1]

    return jax.jit(run), key


def theirs(env, group, agent, action):
    """One of our actions of Walk, as it takes it."""
    parts = env.action_spaces[group].split(action)
    return np.array(list(parts.values())) if group == "walker" else int(action) - 1


def flag(flags, step, row):
    """Of `[T]`, in lockstep, or `[T, E]`."""
    return flags[step] if flags.ndim == 1 else flags[step, row]


@pytest.mark.parametrize("early", [False, True])
def test_episodes_are_those_of_python(early):
    """The same seed and actions, in Python alone: to the last bit."""
    env = make(early=early, ends_early=early)
    assert env.groups == {"walker": (0, 2), "talker": (1,)} and env.max_cycles == 4
    run, key = played(env, jax.random.key(1))
    state, actions, ts = jax.device_get(run(key))
    ended = 0
    for row in range(COPIES):
        direct = None
        for k in range(STEPS):
            if state.t[k, row] == 0:
                direct = Walk(early=early)
                direct.reset(seed=int(state.seed[k, row]))
            deeds = {
                agent: theirs(env, g, agent, actions[g][k, row, j])
                for n, agent in enumerate(env.agents)
                for g, j in [env.seat(n)]
                if agent in direct.agents
            }
            obs, rewards, *_ = direct.step(deeds)
            assert [rewards.get(agent, 0) for agent in env.agents] == ts.reward[k, row].tolist()
            for j, agent in enumerate(("walker_0", "walker_1")):
                assert np.array_equal(ts.obs["walker"][k, row, j], np.ravel(obs.get(agent, np.zeros(4))))
            assert ts.obs["talker"][k, row, 0].argmax() + 1 == obs["talker_0"]
            over = not direct.agents
            assert flag(ts.terminated, k, row) == (over and early) and flag(ts.truncated, k, row) == (
                over and not early
            )
            ended += over
    assert ended >= 2 * COPIES


def test_a_state_may_be_played_from_again():
    """From an earlier state with other actions, then from where one was: nothing depends on what was asked before."""
    env = make(max_cycles=6)
    batch = Batch(env, COPIES)
    start, _ = batch.reset(jax.random.key(2))
    step = jax.jit(lambda key, state: batch.step(key, state, random_actions(env, key)))
    keys = jax.random.split(jax.random.key(3), 4)
    one, _ = step(keys[0], start)
    two, shown = step(keys[1], one)
    step(keys[2], start)
    again, shown_again = step(keys[1], one)
    jax.tree.map(np.testing.assert_array_equal, (two, shown), (again, shown_again))
    other, _ = step(keys[3], one)
    assert not np.array_equal(other.obs, two.obs)


def test_another_process_goes_on_from_a_state():
    """Nothing of what workers hold is needed: a state with others that have just begun is as good."""
    env = make()
    batch = Batch(env, COPIES)
    step = jax.jit(lambda key, state: batch.step(key, state, random_actions(env, key)))
    state, _ = step(jax.random.key(5), batch.reset(jax.random.key(4))[0])
    after = step(jax.random.key(6), state)
    host = host_of(env.call)
    host.pool.end()
    host.pool = None
    host.standing.clear()
    jax.tree.map(np.testing.assert_array_equal, after, step(jax.random.key(6), state))


@pytest.mark.parametrize("ends_early", [False, True])
def test_seeds_side_by_side_play_what_each_plays_alone(ends_early):
    env = make(ends_early=ends_early, early=ends_early)
    run, _ = played(env, None)
    keys = jax.random.split(jax.random.key(7), 2)
    both = jax.jit(jax.vmap(run))(keys)
    for k, key in enumerate(keys):
        jax.tree.map(lambda x, y, k=k: np.testing.assert_array_equal(x[k], y), both, run(key))


def test_one_is_a_batch_of_one():
    env = make()
    state, first = jax.jit(env.reset)(jax.random.key(0))
    actions = {group: x[0] for group, x in random_actions(env, jax.random.key(1)).items()}
    after, ts = jax.jit(env.step)(jax.random.key(2), state, actions)
    assert first.reward.tolist() == [0, 0, 0] and ts.reward.shape == (3,) and after.t == 1
    assert {g: x.shape for g, x in ts.obs.items()} == {"walker": (2, 4), "talker": (1, 3)}
    assert ts.terminated.shape == ts.truncated.shape == ()


def test_vectors_are_stretched_to_their_bounds():
    env = make(toy("Reaching"), max_cycles=3)
    assert env.continuous_actions and env.groups == {"toy_0": (0,), "toy_1": (1,)}  # of one prefix, but other spaces
    state, _ = env.reset(jax.random.key(0))
    _, ts = env.step(jax.random.key(0), state, {"toy_0": np.array([[0.25, 0.5]]), "toy_1": np.array([[0.7]])})
    assert ts.reward.tolist() == [-0.5 + 2, 17]
    assert Reaching().action_space("toy_1").high == 20


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint8])
def test_whole_numbers_have_equal_parts(kind):
    most = 2 if kind == np.uint8 else np.iinfo(np.int8).max
    space = spaces.Box(0 if kind == np.uint8 else np.iinfo(np.int8).min, most, (1,), kind)
    _, continuous, decode = actor("agent", space)
    drawn = np.array([decode(np.array([x], np.float32)) for x in np.linspace(0, 1, 3841)])
    counts = np.bincount(drawn.ravel().astype(int) - int(space.low[0]))
    assert continuous and drawn.dtype == kind and len(counts) == int(most) - int(space.low[0]) + 1
    assert counts.max() - counts.min() <= 2


def test_wide_bounds_do_not_overflow():
    widest = spaces.Box(-3e38, 3e38, (1,), np.float32), spaces.Box(-(2**31), 2**31 - 1, (1,), np.int32)
    ends = [[actor("agent", space)[2](np.array([x], np.float32))[0] for x in (0, 1)] for space in widest]
    np.testing.assert_allclose(ends, [[-3e38, 3e38], [-(2**31), 2**31 - 1]])


def test_rewards_may_be_arrays_of_one_number():
    env = make(toy("Boxed"), max_cycles=3)
    state, _ = env.reset(jax.random.key(0))
    assert env.step(jax.random.key(0), state, {"toy": np.array([1, 0])})[1].reward.tolist() == [1, 0]


def test_what_takes_no_max_cycles_is_cut_off():
    env = make(toy("Toy"), max_cycles=2)
    _, _, ts = played(env, None)[0](jax.random.key(0))
    assert ts.truncated[:, 0].tolist() == [k % 2 == 1 for k in range(STEPS)] and not ts.terminated.any()


def test_agents_can_be_grouped_otherwise():
    env = make()
    own = regrouped(env, "agent")
    state, ts = own.reset(jax.random.key(0))
    assert {g: x.shape for g, x in ts.obs.items()} == {"walker_0": (1, 4), "talker_0": (1, 3), "walker_1": (1, 4)}
    np.testing.assert_array_equal(env.observe(state)["walker"][1], ts.obs["walker_1"][0])
    actions = {group: np.zeros(1, int) for group in own.groups}
    assert set(own.step(jax.random.key(0), state, actions)[1].obs) == set(own.groups)


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("pettingzoo:", {}, "must be pettingzoo:module or pettingzoo:module:callable"),
        ("pettingzoo:no_such_thing.at_all", {}, "there is no module no_such_thing here"),
        (toy("Nobody"), {}, "foreign_tasks has no Nobody; name what makes the environment, module:callable"),
        (toy("nothing"), {}, "makes a object, but must make a ParallelEnv"),
        (WALK, {"wings": 2}, "unexpected keyword argument 'wings'"),
        (WALK, {"max_cycles": 0}, "'max_cycles' of pettingzoo:foreign_tasks is 0, but must be a whole number"),
        (WALK, {"ends_early": "no"}, "'ends_early' of pettingzoo:foreign_tasks is 'no', but must be true or false"),
        (toy("Toy"), {}, "does not say how long its episodes are at most: give env.max_cycles"),
        (toy("Unbounded"), {"max_cycles": 3}, "actions of toy_0 are without bounds"),
        (toy("Mixed"), {"max_cycles": 3}, "some of its agents have continuous actions, others discrete"),
        (toy("Masked"), {"max_cycles": 3}, "toy_0 has an action mask, and masks are not obeyed"),
        (toy("Worded"), {"max_cycles": 3}, "observations of toy_0 are Text, but must be Box"),
        (toy("Crowded"), {"max_cycles": 3}, "toy_0 has 1,099,511,627,776 actions, but may have"),
        (toy("Late"), {"max_cycles": 3}, "after a reset its agents are toy_0, but must be its possible_agents toy_0, "),
        (toy("Wider"), {"max_cycles": 3}, "toy_0 observes 2 numbers, but its space has 1"),
        (toy("Shuffled"), {"max_cycles": 3}, "its possible_agents are a set, but must be in a fixed order"),
        (toy("InTurns"), {"max_cycles": 3}, "its agents act one after the other (AEC), but must act at once"),
        (toy("Unpaid"), {"max_cycles": 3}, "the reward of toy_0 is None, but must be a finite number"),
        (toy("Blind"), {"max_cycles": 3}, "it shows a number that is not finite"),
        (toy("Elsewhere"), {"max_cycles": 3}, "toy_0 observes array([2, 0]), which is not in its space"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_in_one_line(name, arguments, why):
    with pytest.raises(ConfigError) as refused:
        make(name, **arguments)
    assert why in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(("name", "why"), [("Raising", "KeyError: 'the third\\nleg'"), ("Dying", "by signal 9")])
def test_a_failure_is_one_line(name, why, capfd):
    env = make(toy(name), max_cycles=5)
    run, key = played(env, jax.random.key(0), steps=40)
    with pytest.raises(RunError) as failed, told_in_one_line("; advice"):
        jax.block_until_ready(run(key))
    assert why in str(failed.value) and str(failed.value).startswith(f"{env.name} failed: ")
    assert "\n" not in str(failed.value) and str(failed.value).endswith("; advice")
    assert "Traceback" not in capfd.readouterr().err


def test_what_an_episode_leaves_behind_is_not_in_the_next():
    """A copy is not used again that would show it."""
    env = make(toy("Ageing"), max_cycles=3)
    assert env.described.repeats and env.described.renews
    _, _, ts = played(env, None)[0](jax.random.key(0))
    assert ts.obs["toy"][:, 0, 0, 0].tolist() == [2 + k % 3 for k in range(STEPS)]


def test_an_early_end_in_lockstep_is_a_failure():
    env = make(early=True, ends_early=False)
    run, key = played(env, jax.random.key(0))
    with pytest.raises(RunError, match=r"ended after \d steps, though env.ends_early is false"), told_in_one_line():
        jax.block_until_ready(run(key))


def test_what_it_costs_is_told():
    line, *more = make_env("pettingzoo:mpe2.simple_spread_v3", N=2, num_workers=1).told(64, 100)
    assert not more and "is Python, 64 copies in 1 processes" in line
    assert line.endswith("the same task here, compiled: simple_spread_v3")
    assert "did not repeat an episode" in make(toy("Forgetful"), max_cycles=3).told(4, 4)[1]


def test_copies_must_fit_into_memory():
    cfg = default_cfg().replace({"env.name": "pettingzoo:mpe2.simple_spread_v3", "eval_episodes": 10**6})
    with pytest.raises(ConfigError, match=r"a copy in Python for each row needs at least .* GB of memory"):
        check_memory(cfg)


def test_workers_end_with_whoever_started_them():
    """However that ends: nobody is left to tidy up."""
    code = f"""
import os, signal
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.foreign.host import host_of
print(host_of(make_env({WALK!r}).call).first.process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == -signal.SIGKILL, done.stderr
    worker = int(done.stdout)
    for _ in range(100):
        if not is_alive(worker):
            return
        time.sleep(0.05)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("a worker is left")


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


RUN = {**SIMPLEST, "env.name": WALK, "env.early": True, "env.num_workers": 2, "eval_interval": 2, "eval_episodes": 4}


@pytest.mark.slow
def test_a_run_whose_worker_dies_goes_on_bit_for_bit(tmp_path, monkeypatch, quick_evaluation):
    cfg = default_cfg().replace({**RUN, "num_seeds": 2, "rollout_len": 3})
    whole = RunFolder.create(tmp_path / "whole", cfg)
    train(cfg, whole)
    broken = RunFolder.create(tmp_path / "broken", cfg)
    append = RunFolder.append_clock

    def and_kill(folder, iteration, seconds):
        append(folder, iteration, seconds)
        if iteration == 4:
            host_of(cfg.make_env().call).pool.workers[1].process.kill()

    monkeypatch.setattr(RunFolder, "append_clock", and_kill)
    with pytest.raises(RunError, match=rf"by signal 9; go on with --resume {broken.path}"):
        train(cfg, broken)
    monkeypatch.undo()
    train(cfg, RunFolder.resume(broken.path, cfg)[0])
    files = [(folder.path / "metrics.jsonl").read_bytes() for folder in (whole, broken)]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_command_trains_and_says_what_is_wrong(tmp_path):
    """The module is found by the folder in which the command is started."""
    environment = [
        "--env.name=pettingzoo:tests.foreign_tasks:Dying",
        "--env.max_cycles=5",
        "--env.num_workers=1",
        "--comm.preset=none",
    ]
    status, errors = finish("train", *environment, "--test", "--run-dir", tmp_path / "run")
    assert status == 1 and errors.startswith("error: ") and errors.count("\n") == 1
    assert "by signal 9" in errors and "--resume" in errors
