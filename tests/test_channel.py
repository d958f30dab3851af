"""The channel is differentiable, stays cut where it is cut, is replayed in the update, and forgets between episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.team import Team
from jaxmarl_comm.comm import PRESETS
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.trees import environments_first
from learners import lively

CHANNELS = [name for name, preset in PRESETS.items() if preset["rounds"]]
IMPERFECT = {
    "comm.preset": "tarmac",
    "comm.discretise": "quantise",
    "comm.gate": "learned",
    "comm.bit_flip": 0.1,
    "comm.noise": 0.2,
    "comm.loss": 0.3,
    "comm.loss_burst": 3,
    "comm.delay": 2,
    "comm.route": "nearest",
    "comm.integrate_into": "both",
}


LEARNERS, PLAYED = {}, {}  # compiling is what takes time here


def learner_of(task, **changes):
    what = repr((task, changes))
    if what not in LEARNERS:
        small = {"env.name": task, "num_envs": 4, "num_minibatches": 1, "hidden_dim": 8, "rollout_len": 27}
        cfg = default_cfg().replace({**small, "ppo_epochs": 1, **changes})
        LEARNERS[what] = Mappo(cfg, make_env(task, **cfg.env.arguments))
    return LEARNERS[what]


def played(learner):
    """(state before, state of the environments after, recorded steps) of one rollout."""
    if learner not in PLAYED:
        state = lively(learner)
        PLAYED[learner] = state, *jax.jit(learner.play)(state, jax.random.key(0))
    return PLAYED[learner]


def replayed(learner, state, traj, team=None):
    """What the update makes of the recorded steps."""
    obs, circumstances = environments_first((traj.obs, traj.circumstances))
    return learner.actor.replay(team or learner.team(state), obs, circumstances, state.rollout.memory.team)


# Links


def spread_probe(preset, matrix):
    """A function from observations `[E, T, n, d]` to all agents' log-probabilities `[E, T, N]`; observations."""
    cut = {"comm.preset": preset, "comm.route": "matrix", "comm.route_matrix": matrix, "rollout_len": 4, "num_envs": 2}
    learner = learner_of("simple_spread_v3", **cut)
    state, _, traj = played(learner)
    obs, circumstances, actions = environments_first((traj.obs, traj.circumstances, traj.actions))
    space = learner.env.action_spaces["agent"]

    def log_probs(seen):
        start = state.rollout.memory.team
        decision = learner.actor.replay(learner.team(state), {"agent": seen}, circumstances, start)
        return decision.distributions["agent"].log_prob(space.split(actions["agent"]))

    return log_probs, obs["agent"]


def influences(log_probs, obs):
    """`[N, N]`: the largest gradient of the row's log-probabilities with respect to the column's observations."""
    slope = jax.grad(lambda seen, n: log_probs(seen)[..., n].sum())
    slopes = jax.jit(jax.vmap(slope, in_axes=(None, 0)))(obs, jnp.arange(3))
    return np.abs(slopes).max(axis=(1, 2, 4))


@pytest.mark.parametrize("preset", CHANNELS)
def test_nobody_hears_an_agent_whose_links_are_cut(preset):
    log_probs, obs = spread_probe(preset, [[0, 1, 1], [0, 0, 1], [0, 1, 0]])
    reached = influences(log_probs, obs)
    assert (reached[1:, 0] == 0).all()
    assert (reached[[0, 0, 1, 2], [1, 2, 2, 1]] > 0).all()
    changed = obs.at[:, :, 0].add(0.7)
    before, after = map(jax.jit(log_probs), (obs, changed))
    np.testing.assert_array_equal(before[..., 1:], after[..., 1:])
    assert (before[..., 0] != after[..., 0]).any()


# Where several rounds, or a medium in common, lead around a cut link, only cutting all its links isolates an agent.
@pytest.mark.parametrize("preset", [p for p in CHANNELS if PRESETS[p]["rounds"] == 1 and p != "schednet"])
def test_one_cut_link_is_cut_alone(preset):
    reached = influences(*spread_probe(preset, [[0, 1, 1], [0, 0, 1], [1, 1, 0]]))
    assert reached[1, 0] == 0
    assert (np.delete(reached.ravel(), 3) > 0).all()


def test_without_a_channel_agents_do_not_influence_each_other():
    learner = learner_of("simple_reference_v3", **{"comm.preset": "none"})
    state, _, traj = played(learner)
    obs = traj.obs["agent"]
    changed = obs.at[:, :, 1, 8:11].set(0.7)  # the goal that only agent 1 sees
    first, second = (replayed(learner, state, traj._replace(obs={"agent": o})).outputs for o in (obs, changed))
    np.testing.assert_array_equal(first["agent"][..., 0, :], second["agent"][..., 0, :])
    assert (first["agent"][..., 1, :] != second["agent"][..., 1, :]).any()


@pytest.mark.parametrize("preset", CHANNELS)
def test_the_listeners_loss_reaches_the_speaker(preset):
    learner = learner_of("simple_speaker_listener_v4", **{"comm.preset": preset})
    state, _, traj = played(learner)

    @jax.jit
    @jax.grad
    def slope(params):
        decision = replayed(learner, state, traj, Team(params, learner.team(state).numbers))
        move = environments_first(traj.actions)["listener"]
        return decision.distributions["listener"].log_prob({"move": move}).sum()

    of_speaker = {name: grad for name, grad in slope(state.params.policy)["params"].items() if "speaker" in name}
    message = {name: grad["Dense_0"]["kernel"] for name, grad in of_speaker.items() if "message" in name}
    assert all(np.abs(kernel).max() > 1e-6 for kernel in message.values()) and message


# The update replays the rollout


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        *(("simple_reference_v3", {"comm.preset": preset}) for preset in PRESETS),
        ("simple_speaker_listener_v4", {"env.continuous_actions": True, "comm.preset": "speech"}),
        ("simple_speaker_listener_v4", {"comm.preset": "dial", "comm.bit_flip": 0.2}),
        ("simple_reference_v3", {"comm.preset": "gumbel", "comm.bit_flip": 0.2, "comm.gate": "every_n"}),
        ("simple_reference_v3", {"comm.gate": "every_n", "comm.gate_hold": True, "comm.delay": 1}),
        ("simple_reference_v3", {"comm.discretise": "binary", "comm.bit_flip": 0.2, "comm.aggregate": "max"}),
        ("simple_spread_v3", {"share_params": False, "env.continuous_actions": True, **IMPERFECT}),
        ("simple_reference_v3", {"comm.preset": "none", "comm.speech": "differentiable"}),
        (
            "simple_reference_v3",
            {"comm.preset": "none", "comm.speech": "differentiable", "env.continuous_actions": True},
        ),
        ("simple_speaker_listener_v4", {"comm.preset": "none", "comm.speech": "differentiable"}),
    ],
)
def test_the_first_minibatch_has_ratio_one(task, changes):
    """What the update recomputes, messages and luck included, is what the rollout did."""
    learner = learner_of(task, **changes)
    state, after, traj = played(learner)

    @jax.jit
    def first_minibatch(state, after, traj):
        data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))
        rows = jax.tree.map(lambda x: x[jnp.array([3, 1])], data)
        team, spaces = learner.team(state), learner.env.action_spaces
        decision = learner.actor.replay(team, rows.obs, rows.circumstances, rows.memory.team)
        again = {g: d.log_prob(spaces[g].split(rows.actions[g])) for g, d in decision.distributions.items()}
        ratio = jnp.exp(learner.env.join(again) - rows.log_probs)
        return ratio, learner.loss(state.params, rows, state.hparams, team.numbers)[1]

    ratio, metrics = first_minibatch(state, after, traj)
    np.testing.assert_allclose(ratio, 1.0, atol=5e-5)
    assert metrics["clip_fraction"] == 0 and metrics["approx_kl"] == pytest.approx(0, abs=1e-6)


@pytest.mark.optimised
@pytest.mark.parametrize("preset", ["commnet", "gumbel"])
def test_imperfections_of_no_strength_are_the_clean_channel_bit_for_bit(preset):
    clean = {"comm.preset": preset}
    faulty = {**clean, "comm.noise": 1.0, "comm.loss": 0.5} | ({"comm.bit_flip": 0.5} if preset == "gumbel" else {})

    def after_an_update(learner):
        update, state = jax.jit(learner.update), lively(learner)
        return lambda numbers: update(learner.vary(state, numbers))

    nothing = {name: 0.0 for name in faulty if name not in clean}
    with_faults = after_an_update(learner_of("simple_reference_v3", **faulty))
    state, metrics = after_an_update(learner_of("simple_reference_v3", **clean))({})
    other, other_metrics = with_faults(nothing)
    jax.tree.map(np.testing.assert_array_equal, state.params, other.params)
    jax.tree.map(np.testing.assert_array_equal, metrics, other_metrics)
    noisy = with_faults({"comm.noise": 1.0})[0]
    same = jax.tree.map(lambda a, b: bool((a == b).all()), state.params.policy, noisy.params.policy)
    assert not all(jax.tree.leaves(same))


# Delay


@pytest.mark.parametrize("delay", [1, 3])
def test_a_message_is_heard_so_many_steps_later_and_never_in_the_next_episode(delay):
    learner = learner_of("simple_reference_v3", **{"comm.aggregate": "concat", "comm.delay": delay, "rollout_len": 60})
    state, after, traj = played(learner)
    output = jax.jit(lambda s, t: replayed(learner, s, t))(state, traj).talk
    sent, heard = output.packets.message[:, :, 0], output.heard
    age = np.arange(60) % 25
    assert not heard[:, age < delay].any()
    late = np.flatnonzero(age >= delay)
    np.testing.assert_allclose(heard[:, late, 0], sent[:, late - delay, 1], atol=1e-6)
    assert np.abs(sent).max() > 0.1
    # what is under way when the rollout stops, in the tenth step of an episode, is what was sent last
    np.testing.assert_allclose(after.memory.team.channel.mail.message[:, 0], sent[:, 60 - delay :], atol=1e-5)


def test_no_gradient_crosses_the_end_of_an_episode():
    learner = learner_of("simple_reference_v3", **{"comm.delay": 3, "rollout_len": 30})
    state, _, traj = played(learner)
    obs, circumstances = environments_first((traj.obs, traj.circumstances))

    def second_episode(seen):
        team, start = learner.team(state), state.rollout.memory.team
        return (learner.actor.replay(team, {"agent": seen}, circumstances, start).talk.heard[:, 25:] ** 2).sum()

    slope = jax.jit(jax.grad(second_episode))(obs["agent"])
    assert not slope[:, :25].any()
    assert np.abs(slope[:, 25:27]).max() > 0


def test_mail_of_the_last_rollout_is_heard_in_this_one():
    learner = learner_of("simple_reference_v3", **{"comm.delay": 2, "rollout_len": 5})
    state, after, first = played(learner)
    second = jax.jit(lambda s: learner.play(s, jax.random.key(9)))(state._replace(rollout=after))[1]
    output = replayed(learner, state._replace(rollout=after), second).talk
    sent = replayed(learner, state, first).talk.packets.message[:, :, 0]
    np.testing.assert_allclose(output.heard[:, :2, 0], sent[:, 3:, 1], atol=1e-5)


def test_a_held_message_is_heard_until_the_next():
    held = {"comm.aggregate": "concat", "comm.gate": "every_n", "comm.gate_every": 10, "comm.gate_hold": True}
    learner = learner_of("simple_reference_v3", **held, rollout_len=60)
    state, after, traj = played(learner)
    output = jax.jit(lambda s, t: replayed(learner, s, t))(state, traj).talk
    sent, age = output.packets.message[:, :, 0], np.arange(60) % 25
    np.testing.assert_array_equal(output.packets.sent[0, :, 0, 0], age % 10 == 0)
    np.testing.assert_allclose(output.heard[:, :, 0], sent[:, np.arange(60) - age % 10, 1], atol=1e-6)
    np.testing.assert_allclose(after.memory.team.channel.held.message[:, 0], sent[:, 50], atol=1e-5)


# The task's own words, differentiable


def test_the_gradient_of_a_word_flows_back_through_the_environment():
    learner = learner_of("simple_speaker_listener_v4", **{"comm.preset": "none", "comm.speech": "differentiable"})
    state, _, traj = played(learner)

    def slope(of_speaker_at):
        def log_prob(seen):
            obs = traj.obs | {"speaker": traj.obs["speaker"].at[of_speaker_at].set(seen)}
            decision = replayed(learner, state, traj._replace(obs=obs))
            move = environments_first(traj.actions)["listener"]
            return decision.distributions["listener"].log_prob({"move": move})[:, 10].sum()

        return np.abs(jax.jit(jax.grad(log_prob))(traj.obs["speaker"][of_speaker_at])).max()

    assert slope(9) > 1e-7
    assert slope(10) == slope(8) == 0


def test_words_chosen_for_the_gradient_are_the_words_that_are_said():
    learner = learner_of("simple_reference_v3", **{"comm.preset": "none", "comm.speech": "differentiable"})
    state, _, traj = played(learner)
    said = np.asarray(replayed(learner, state, traj).said)  # [E, T, N, dim_c]
    spoken = np.asarray(learner.env.action_spaces["agent"].split(environments_first(traj.actions)["agent"])["say"])
    np.testing.assert_array_equal(said.argmax(-1), spoken)
    heard = environments_first(traj.obs)["agent"][..., -10:]
    np.testing.assert_array_equal(heard[:, 1:25, 0], said[:, :24, 1])
    assert len(np.unique(spoken)) > 3


# What the config asks of messages, and who hears them


def losses(**changes):
    """(loss, its measures, gradients of policy and critic) of a whole rollout."""
    learner = learner_of("simple_reference_v3", **changes)
    state, after, traj = played(learner)
    data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))
    team = learner.team(state)
    loss = jax.value_and_grad(learner.loss, has_aux=True)
    (value, measures), grads = jax.jit(loss)(state.params, data, state.hparams, team.numbers)
    return float(value), measures, grads


@pytest.mark.parametrize(
    ("preset", "setting", "measure"),
    [
        ("gumbel", "signalling_coef", "signalling_loss"),
        ("commnet", "listening_coef", "listening_loss"),
        ("ic3net", "message_price", "messages_sent"),
    ],
)
def test_what_is_asked_of_messages_enters_the_loss(preset, setting, measure):
    without, with_it = losses(**{"comm.preset": preset}), losses(**{"comm.preset": preset, f"comm.{setting}": 0.7})
    assert with_it[0] - without[0] == pytest.approx(0.7 * float(with_it[1][measure]), abs=1e-4)
    assert float(with_it[1][measure]) != 0
    asked = jax.tree.map(lambda a, b: np.abs(a - b).max(), with_it[2].policy, without[2].policy)
    assert max(jax.tree.leaves(asked)) > 1e-4


def test_a_critic_that_listens_teaches_the_speaker_and_a_policy_that_does_not_is_deaf():
    learner = learner_of("simple_reference_v3", **{"comm.integrate_into": "critic"})
    state, after, traj = played(learner)
    data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))

    def output(params, changed):
        obs = {"agent": data.obs["agent"].at[:, :, 1].add(changed)}
        return learner.actor.replay(
            Team(params, learner.team(state).numbers), obs, data.circumstances, data.memory.team
        )

    deaf, changed = (output(state.params.policy, x) for x in (0.0, 0.7))
    np.testing.assert_array_equal(deaf.outputs["agent"][..., 0, :], changed.outputs["agent"][..., 0, :])
    assert (deaf.talk.heard[..., 0, :] != changed.talk.heard[..., 0, :]).any()
    silent_loss = state._replace(hparams=state.hparams._replace(ent_coef=jnp.zeros(())))
    data = data._replace(advantages=jnp.zeros_like(data.advantages))
    grads, _ = jax.grad(learner.loss, has_aux=True)(
        state.params, data, silent_loss.hparams, learner.team(state).numbers
    )
    of_message = grads.policy["params"]["agent_message_0"]["Dense_0"]["kernel"]
    assert np.abs(of_message).max() > 1e-6


# Execution


@pytest.mark.parametrize("preset", ["gumbel", "dial"])
def test_execution_draws_nothing_to_speak(preset):
    """With different luck agents say the same, where in training they would not."""
    learner = learner_of("simple_reference_v3", **{"comm.preset": preset})
    state, after, _ = played(learner)
    view = learner.actor.view(learner.batch, after.env, after.obs, learner.actor.memory(4))
    act = jax.jit(lambda key: learner.actor.act(learner.team(state), key, view, jnp.array(True), unchanged).messages)
    said = [act(jax.random.key(k)) for k in (1, 2)]
    np.testing.assert_array_equal(*said)
    assert set(np.unique(said[0])) == {0.0, 1.0}
