"""Agents that remember: the cells, what the update replays, where memory begins and ends, and that it is used."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.critics import Moment
from jaxmarl_comm.algorithms.looking_back import looking_back
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.team import Team
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.world import DT
from jaxmarl_comm.nets.cell import GATES, STATES, AgentCell
from jaxmarl_comm.trees import environments_first
from learners import assert_learns, assert_taught, lively, recorded

SMALL = {"num_envs": 4, "num_minibatches": 2, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 33}
# 33 steps: one episode of 25, and a part of the next
TALKS = [
    ("simple_reference_v3", {"net.memory": "gru", "net.critic_memory": "gru", "comm.preset": "none"}),
    ("simple_spread_v3", {"net.memory": "lstm", "comm.preset": "commnet", "share_params": False}),
    (
        "simple_spread_v3",
        {
            "net.memory": "gru",
            "net.critic_memory": "lstm",
            "net.hidden": [8, 6, 4],
            "comm.preset": "tarmac",
            "comm.delay": 2,
            "comm.loss": 0.3,
            "comm.loss_burst": 3,
            "comm.noise": 0.1,
            "comm.route": "nearest",
            "comm.integrate_into": "both",
            "critic_input": "joint_actions",
        },
    ),
    (
        "simple_reference_v3",
        {
            "net.critic_memory": "lstm",
            "comm.gate": "every_n",
            "comm.gate_every": 10,
            "comm.gate_hold": True,
            "env.continuous_actions": True,
        },
    ),
    ("simple_speaker_listener_v4", {"net.memory": "lstm", "comm.preset": "dial"}),
    (
        "simple_reference_v3",
        {"net.memory": "gru", "comm.preset": "speech", "comm.speech": "differentiable", "comm.rounds": 0},
    ),
    (
        "simple_spread_v3",
        {"net.memory": "gru", "env.terminate_on_success": True, "net.critic_memory": "gru", "share_critics": "team"},
    ),
    ("simple_speaker_listener_v4", {"net.last_step": True, "comm.preset": "speech", "net.layer_norm": True}),
    (
        "simple_spread_v3",
        {
            "net.last_step": True,
            "net.memory": "gru",
            "env.continuous_actions": True,
            "env.terminate_on_success": True,
            "critic_input": "joint_actions",
        },
    ),
]


def learner_of(task="simple_reference_v3", **changes):
    cfg = default_cfg().replace({"env.name": task, **SMALL, **changes})
    return Mappo(cfg, make_env(task, **cfg.env.arguments))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_cell_is_what_its_formula_says(kind):
    rng, width = np.random.default_rng(0), 3
    state, sensed = rng.normal(size=(2, STATES[kind] * width)), rng.normal(size=(2, GATES[kind] * width))
    kernel, bias = rng.normal(size=(width, GATES[kind] * width)), rng.normal(size=GATES[kind] * width)
    params = {"params": {"past": {"Dense_0": {"kernel": kernel, "bias": bias}}}}
    found = jax.jit(AgentCell(kind, True).apply)(params, state, sensed)
    hidden = state[:, :width]
    past = hidden @ kernel + bias
    s, p = np.split(sensed, GATES[kind], axis=1), np.split(past, GATES[kind], axis=1)
    if kind == "gru":
        keep = sigmoid(s[1] + p[1] + 1)
        expected = keep * hidden + (1 - keep) * np.tanh(s[2] + sigmoid(s[0] + p[0]) * p[2])
    else:
        kept = sigmoid(s[1] + p[1] + 1) * state[:, width:] + sigmoid(s[0] + p[0]) * np.tanh(s[3] + p[3])
        expected = np.concatenate([sigmoid(s[2] + p[2]) * np.tanh(kept), kept], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(("task", "changes"), TALKS)
def test_the_update_replays_what_agents_and_critics_remembered(task, changes):
    """From the middle of an episode, over its end: the first ratio is 1, and values are those of the rollout."""
    learner = learner_of(task, **changes)
    play, state = jax.jit(learner.play), lively(learner)
    middle, _ = play(state, jax.random.key(1))
    state = state._replace(rollout=middle)

    @jax.jit
    def replayed(state, after, traj):
        data, _, _ = learner.prepare(state, traj, after, jax.random.key(3))
        team, spaces = learner.team(state), learner.env.action_spaces
        decision = learner.actor.replay(team, data.obs, data.circumstances, data.memory.team)
        log_probs = {g: d.log_prob(spaces[g].split(data.actions[g])) for g, d in decision.distributions.items()}
        recorded = Moment(data.obs, data.circumstances, data.actions, decision.talk.heard)
        values = learner.critic.replay(state.params.critic, recorded, data.memory.critics)
        return data, learner.env.join(log_probs), values

    data, log_probs, values = jax.device_get(replayed(state, *play(state, jax.random.key(2))))
    np.testing.assert_allclose(log_probs, data.log_probs, atol=2e-4)
    np.testing.assert_allclose(values, data.old_values, atol=2e-4)
    memory = middle.memory
    cells = [*(x.state for x in memory.team.recalled.values()), *memory.critics.values()]
    carried = cells + [before[..., 1:] for before in memory.team.before.values()]
    assert carried and all(np.abs(x).max() > 1e-3 for x in carried)


@pytest.mark.parametrize(("kind", "does"), [("gru", assert_learns), ("lstm", assert_taught)])
def test_every_part_of_a_memory_learns(kind, does):
    does(learner_of(**{"net.memory": kind, "net.critic_memory": kind}))


@pytest.mark.parametrize("continuous", [False, True])
def test_who_looks_back_sees_how_it_moved_and_what_it_did(continuous):
    """Where a landmark is, less where it was, is what the agent has moved: its velocity then, by the length of a step.

    At the first step of an episode, also of the one after, there is nothing to look back to.
    """
    changes = {"net.last_step": True, "comm.preset": "none", "env.continuous_actions": continuous}
    learner = learner_of("simple_adversary_v3", **changes)
    state = lively(learner)
    traj, worlds = jax.device_get(jax.jit(learner.play)(state, jax.random.key(0))[1]), []
    batch, env_state = learner.batch, state.rollout.env
    step = jax.jit(batch.step)
    for t in range(25):
        worlds.append(env_state)
        env_state, _ = step(jax.random.key(t), env_state, {g: x[t] for g, x in traj.actions.items()})
    vel = np.stack([jax.vmap(lambda s: s.vel, in_axes=(learner.env.state_axes,))(world) for world in worlds])
    seen = jax.device_get(looking_back(traj.obs, traj.circumstances["before"]))
    of_good, obs, actions = seen["agent"], traj.obs["agent"], traj.actions["agent"]
    size = obs.shape[-1]
    now, change, was_one, did = np.split(of_good, [size, 2 * size, 2 * size + 1], axis=-1)
    np.testing.assert_array_equal(now, obs)
    assert not of_good[[0, 25], ..., size:].any() and (was_one[1:25] == 1).all() and (was_one[26:] == 1).all()
    np.testing.assert_allclose(change[1:25, ..., :2], -DT * vel[:24, :, 1:], atol=1e-6)
    np.testing.assert_array_equal(did[1:25], actions[:24] if continuous else np.eye(5)[actions[:24]])
    assert np.abs(change[1:25, ..., :2]).max() > 1e-2


@pytest.fixture(scope="module")
def remembering():
    learner = learner_of(**{"net.memory": "gru", "net.critic_memory": "gru", "rollout_len": 30})
    state = lively(learner)
    return learner, state, *jax.device_get(jax.jit(learner.play)(state, jax.random.key(0)))


def test_what_was_seen_moves_the_rest_of_an_episode_and_nothing_of_the_next(remembering):
    learner, state, _, traj = remembering
    obs, circumstances = environments_first((traj.obs["agent"], traj.circumstances))

    @jax.jit
    def felt(obs):
        def of_step(step):
            def output(obs):
                replayed = learner.actor.replay(
                    learner.team(state), {"agent": obs}, circumstances, state.rollout.memory.team
                )
                return (replayed.outputs["agent"][:, step] ** 2).sum()

            return jnp.abs(jax.grad(output)(obs)).max(axis=(0, 2, 3))

        return jax.vmap(of_step)(jnp.array([24, 27]))

    last, of_next = jax.device_get(felt(obs))
    assert (last[:25] > 0).all() and (last[25:] == 0).all()
    assert (of_next[:25] == 0).all() and (of_next[25:28] > 0).all() and (of_next[28:] == 0).all()


def test_the_value_of_a_true_last_observation_remembers_its_episode(remembering):
    learner, state, _, traj = remembering
    step, step_env = jax.jit(learner.critic.step), jax.jit(learner.batch.step)
    memories, params = jax.device_get(learner.memory().critics), state.params.critic
    env_state, obs = state.rollout.env, {g: x[0] for g, x in traj.obs.items()}
    # The rollout does not keep the true last observation: the environment, stepped again, tells it.
    for t in range(25):
        actions = {g: x[t] for g, x in traj.actions.items()}
        _, memories = step(params, Moment(obs, {}, actions, None), memories)
        env_state, ts = step_env(jax.random.key(9), env_state, actions)
        obs = ts.obs
    with_memory, without = (
        np.asarray(step(params, Moment(obs, {}, actions, None), m)[0]) for m in (memories, learner.memory().critics)
    )  # values that were never normalised
    np.testing.assert_allclose(traj.at_end[24], with_memory, atol=1e-4)
    assert np.abs(with_memory - without).max() > 1e-2


def test_a_network_without_memory_has_no_cells():
    params = jax.eval_shape(learner_of().init, jax.random.key(0)).params
    assert not any("cell" in name for part in params for name in part["params"])
    forgetful = learner_of(**{"net.memory": "gru"})
    policy, critic = jax.eval_shape(forgetful.init, jax.random.key(0)).params
    assert any("cell" in name for name in policy["params"])
    assert not any("cell" in name for name in critic["params"])


def test_what_was_heard_is_remembered():
    """A message that is sent once moves what its hearer does long after, by its cell alone."""
    learner = learner_of(**{"net.memory": "gru", "comm.gate": "every_n", "comm.gate_every": 25, "rollout_len": 25})
    state = lively(learner)
    traj = recorded(learner, state)
    obs, circumstances = environments_first((traj.obs["agent"], traj.circumstances))

    @jax.jit
    def felt(params):
        def output(changed):
            told = jnp.asarray(obs).at[:, 0, 1].add(changed)  # what the other saw at the first step
            replayed = learner.actor.replay(
                Team(params, learner.team(state).numbers), {"agent": told}, circumstances, state.rollout.memory.team
            )
            return (replayed.outputs["agent"][:, 20, 0] ** 2).sum()

        return jax.grad(output)(0.0)

    assert np.abs(felt(state.params.policy)) > 1e-7
    deaf = jax.tree_util.tree_map_with_path(
        lambda path, x: np.zeros_like(x) if "agent_heard" in str(path) else x, state.params.policy
    )
    assert felt(deaf) == 0


def test_who_looks_back_notes_in_execution_what_it_saw_and_did():
    """As in a rollout: else a team that is evaluated, or plays as an opponent, would not know what it learned by."""
    learner = learner_of(**{"net.last_step": True, "comm.preset": "none"})
    state = lively(learner)

    @jax.jit
    def acted():
        view = learner.view(state.rollout)
        return learner.actor.act(learner.team(state), jax.random.key(3), view, jnp.array(False), unchanged)

    act, obs = jax.device_get((acted(), state.rollout.obs["agent"]))
    was_one, then, did = np.split(act.memory.before["agent"], [1, 1 + obs.shape[-1]], axis=-1)
    assert (was_one == 1).all() and len(np.unique(act.actions["agent"])) > 1
    np.testing.assert_array_equal(then, obs)
    factors = learner.env.action_spaces["agent"].factors
    parts = learner.env.action_spaces["agent"].split(act.actions["agent"])
    expected = np.concatenate([np.eye(size)[np.asarray(parts[name])] for name, size in factors], axis=-1)
    np.testing.assert_array_equal(did, expected)
