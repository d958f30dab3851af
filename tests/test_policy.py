"""A loaded policy plays in PettingZoo's loops, in mpe2 as in our environments."""

import shutil

import numpy as np
import pytest

from jaxmarl_comm import default_cfg, load_policy, make_env
from jaxmarl_comm.checkpoint import CheckpointError
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.envs.mpe.parity import read_state
from jaxmarl_comm.envs.pettingzoo import PettingZooEnv, to_pettingzoo
from jaxmarl_comm.evaluation.reference import play_reference
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Runner, TrainResult, teams_of
from learners import lively_run

SPEAKING = {"env.name": "simple_speaker_listener_v4", "env.continuous_actions": True, "comm.preset": "speech"}


def saved(tmp_path_factory, **changes):
    """A run with a checkpoint, of teams that nobody trained."""
    path = lively_run(tmp_path_factory.mktemp("runs") / "run", **changes)
    return TrainResult(path, RunFolder.open(path)[1], [], {})


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Two seeds, one group of agents, who act with indices and send messages over the channel."""
    return saved(tmp_path_factory, num_seeds=2)


@pytest.fixture(scope="module")
def speaking(tmp_path_factory):
    """Two groups of agents, who act with vectors and talk in words."""
    return saved(tmp_path_factory, **SPEAKING, eval_episodes_reference=3)


@pytest.fixture(scope="module")
def late_and_near(tmp_path_factory):
    """Agents who hear whoever is nearest, two steps late: their team has a memory, and needs to know where they are."""
    changes = {"comm.preset": "dial", "comm.delay": 2, "comm.route": "nearest", "comm.noise": 0.1}
    return saved(tmp_path_factory, **{"env.name": "simple_spread_v3", **changes})


def positions(env):
    """agent -> where it is, in mpe2 or in ours."""
    if isinstance(env, PettingZooEnv):
        return dict(zip(env.possible_agents, env._state.pos, strict=True))
    return {agent.name: agent.state.p_pos for agent in env.unwrapped.world.agents}


def play(env, act, obs):
    """(return, all actions) of one episode from these observations on."""
    total, actions = 0.0, []
    act.reset()
    while env.agents:
        actions.append(act(obs, positions(env)))
        for agent, action in actions[-1].items():
            assert env.action_space(agent).contains(action), (agent, action)
        obs, rewards, *_ = env.step(actions[-1])
        total += np.mean(list(rewards.values()))
    return total, actions


def in_mpe2(act, seed):
    env = make_mpe2(act.env)
    return play(env, act, env.reset(seed=seed)[0])


def in_ours(act, seed):
    """In our environment, from mpe2's own start."""
    original, env = make_mpe2(act.env), to_pettingzoo(act.env)
    obs = original.reset(seed=seed)[0]
    env.reset()
    start = read_state(act.env, original.unwrapped)
    env._state = type(start)(*(np.asarray(new, old.dtype) for new, old in zip(start, env._state, strict=True)))
    return play(env, act, obs)


@pytest.mark.parametrize("name", ["reference", "speaking", "late_and_near"])
def test_it_plays_the_same_in_mpe2_and_in_ours(name, request):
    act = load_policy(request.getfixturevalue(name))
    for seed in range(3):
        act.reset(0)
        there = in_mpe2(act, seed)[0]
        act.reset(0)
        assert there == pytest.approx(in_ours(act, seed)[0], abs=1e-3)


def test_its_returns_in_mpe2_are_those_of_the_evaluation(speaking):
    act = load_policy(speaking)
    returns = [in_mpe2(act, speaking.cfg.seed + k)[0] for k in range(3)]
    runner = Runner(speaking.cfg, RunFolder(speaking.run_dir))
    teams = teams_of(runner.algorithm, runner.load()[0])
    evaluated = play_reference(runner.cfg, runner.env, runner.algorithm, teams)
    np.testing.assert_allclose(evaluated, [[[x] for x in returns]], atol=1e-3)


def test_a_team_that_hears_the_nearest_must_know_where_they_are(late_and_near):
    act = load_policy(late_and_near)
    obs = {agent: np.zeros(18) for agent in act.env.agents}
    with pytest.raises(ValueError, match="'nearest' needs to know where the agents are: give positions"):
        act(obs)
    with pytest.raises(ValueError, match="positions must be of agent_0, agent_1, agent_2"):
        act(obs, {"agent_0": np.zeros(2)})


def test_what_is_under_way_is_forgotten_at_a_reset(late_and_near):
    act = load_policy(late_and_near)
    first = in_mpe2(act, 0)[1]
    act.reset(0)
    assert in_mpe2(act, 0)[1] == first


def test_each_seed_is_another_team(reference):
    first, second = (load_policy(reference.run_dir, seed=seed) for seed in (0, 1))
    played = in_mpe2(first, 0)[1]
    assert in_mpe2(first, 0)[1] == played
    assert in_mpe2(second, 0)[1] != played
    with pytest.raises(ValueError, match=r"seed is 2, but .* has 2 \(from 0 to 1\)"):
        load_policy(reference, seed=2)


def test_sampling_goes_on_until_it_is_given_a_key(reference):
    act = load_policy(reference, greedy=False, key=3)
    first, next_one = in_mpe2(act, 0)[1], in_mpe2(act, 0)[1]
    assert first != next_one
    act.reset(3)
    assert in_mpe2(act, 0)[1] == first
    act.reset(4)
    assert in_mpe2(act, 0)[1] != first


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "there are observations of nobody, but must be of agent_0, agent_1"),
        ({"agent_0": np.zeros(21)}, "there are observations of agent_0, but must be of agent_0, agent_1"),
        (
            {"agent_0": np.zeros(21), "agent_1": np.zeros(18)},
            r"the observation of agent_1 has shape \(18,\), but must have \(21,\)",
        ),
        (np.zeros((2, 21)), "observations are ndarray, but must be a dict from agent to array"),
    ],
)
def test_wrong_observations_are_one_clear_error(reference, wrong, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        load_policy(reference)(wrong)


def test_a_folder_without_a_policy_is_one_clear_error(tmp_path, reference):
    with pytest.raises(RunError, match="is not a run folder"):
        load_policy(tmp_path)
    RunFolder.create(tmp_path / "new", default_cfg())
    with pytest.raises(RunError, match="has no checkpoint yet"):
        load_policy(tmp_path / "new")


def test_a_damaged_checkpoint_is_named_and_the_one_before_plays(tmp_path, reference, capsys):
    run = tmp_path / "run"
    shutil.copytree(reference.run_dir, run)
    runner = Runner(reference.cfg, RunFolder(run))
    runner.save(2, runner.load()[0])
    (run / "checkpoints" / "2" / "record.json").write_text("[")
    load_policy(run)
    assert "checkpoints/2 is damaged (file record.json); taking the one before it" in capsys.readouterr().out
    (run / "checkpoints" / "1" / "record.json").unlink()
    with pytest.raises(CheckpointError, match=r"is damaged .*; no other is left"):
        load_policy(run)


def test_it_says_what_it_plays(reference):
    assert load_policy(reference).env == make_env("simple_reference_v3")
