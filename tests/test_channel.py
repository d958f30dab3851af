"""The channel is differentiable, stays cut where it is cut, is replayed in the update, and forgets between episodes."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms import mappo
from jaxmarl_comm.algorithms.losses import policy_loss
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.team import Team
from jaxmarl_comm.comm import PRESETS
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.trees import environments_first
from learners import lively, recorded

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
    """(state before, state of the environments after, recorded steps) of one rollout, in numpy."""
    if learner not in PLAYED:
        state = lively(learner)
        PLAYED[learner] = state, *jax.device_get(jax.jit(learner.play)(state, jax.random.key(0)))
    return PLAYED[learner]


def replayed(learner, state, traj, team=None):
    """What the update makes of the recorded steps."""
    obs, circumstances = environments_first((traj.obs, traj.circumstances))
    return learner.actor.replay(team or learner.team(state), obs, circumstances, state.rollout.memory.team)


# Links


# Where several rounds, or a medium in common, lead around a cut link, only cutting all its links isolates an agent.
WITHOUT_DETOURS = [p for p in CHANNELS if PRESETS[p]["rounds"] == 1 and p != "schednet"]


def spread_probe(preset, links):
    """(a function from observations `[E, T, n, d]` to all agents' log-probabilities `[E, T, N]`, observations)."""
    cut = {"env.N": len(links), "comm.preset": preset, "comm.route": "matrix", "comm.route_matrix": links.tolist()}
    learner = learner_of("simple_spread_v3", **cut, rollout_len=4, num_envs=2)
    state = lively(learner)
    traj = recorded(learner, state)
    obs, circumstances, actions = environments_first((traj.obs, traj.circumstances, traj.actions))
    space = learner.env.action_spaces["agent"]

    def log_probs(seen):
        start = state.rollout.memory.team
        decision = learner.actor.replay(learner.team(state), {"agent": seen}, circumstances, start)
        return decision.distributions["agent"].log_prob(space.split(actions["agent"]))

    return log_probs, obs["agent"]


@pytest.mark.parametrize("preset", CHANNELS)
def test_a_cut_link_is_cut_and_cut_alone(preset):
    """Nobody hears agent 0, and where that is a matter of one link, agent 1 does not hear agent 2."""
    links = 1 - np.eye(4, dtype=int)
    links[:, 0] = 0
    links[1, 2] = preset not in WITHOUT_DETOURS
    log_probs, obs = spread_probe(preset, links)
    others = [obs + 0.7 * (np.arange(4) == n)[:, None] for n in (0, 2)]  # as 0, and as 2, might see them

    @jax.jit
    def probe(observed):
        slope = jax.grad(lambda seen, n: log_probs(seen)[..., n].sum())
        return jax.vmap(slope, in_axes=(None, 0))(obs, jnp.arange(4)), jax.lax.map(log_probs, observed)

    slopes, (before, *after) = jax.device_get(probe(np.stack([obs, *others])))
    reached = np.abs(slopes).max(axis=(1, 2, 4))  # by row, of column
    np.testing.assert_array_equal(reached > 0, links | np.eye(4, dtype=int))
    for changed, n in zip(after, (0, 2), strict=True):
        deaf = links[:, n] + np.eye(4)[n] == 0
        np.testing.assert_array_equal(before[..., deaf], changed[..., deaf])
        assert (before[..., n] != changed[..., n]).any()


def test_without_a_channel_agents_do_not_influence_each_other():
    learner = learner_of("simple_reference_v3", **{"comm.preset": "none"})
    state = lively(learner)
    traj = recorded(learner, state)
    obs = traj.obs["agent"]
    changed = obs.copy()
    changed[:, :, 1, 8:11] = 0.7  # the goal that only agent 1 sees
    outputs = jax.jit(lambda seen: replayed(learner, state, traj._replace(obs={"agent": seen})).outputs)
    first, second = map(jax.device_get, map(outputs, (obs, changed)))
    np.testing.assert_array_equal(first["agent"][..., 0, :], second["agent"][..., 0, :])
    assert (first["agent"][..., 1, :] != second["agent"][..., 1, :]).any()


@pytest.mark.parametrize("preset", CHANNELS)
def test_the_listeners_loss_reaches_the_speaker(preset):
    learner = learner_of("simple_speaker_listener_v4", **{"comm.preset": preset})
    state = lively(learner)
    traj = recorded(learner, state)

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


def presets_alone(preset):
    """The case of a preset as it is; slow where the same is replayed with imperfections added, below."""
    marks = pytest.mark.slow if preset in ("dial", "gumbel", "tarmac") else ()
    return pytest.param("simple_reference_v3", {"comm.preset": preset}, marks=marks)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        *(presets_alone(preset) for preset in PRESETS),
        ("simple_speaker_listener_v4", {"env.continuous_actions": True, "comm.preset": "speech"}),
        ("simple_speaker_listener_v4", {"comm.preset": "dial", "comm.bit_flip": 0.2}),
        ("simple_reference_v3", {"comm.preset": "gumbel", "comm.bit_flip": 0.2, "comm.gate": "every_n"}),
        ("simple_reference_v3", {"comm.gate": "every_n", "comm.gate_hold": True, "comm.delay": 1}),
        ("simple_reference_v3", {"comm.discretise": "binary", "comm.bit_flip": 0.2, "comm.aggregate": "max"}),
        ("simple_spread_v3", {"share_params": False, **IMPERFECT}),
        pytest.param(  # slow, as the same is replayed with continuous actions, and of two groups
            "simple_reference_v3", {"comm.preset": "none", "comm.speech": "differentiable"}, marks=pytest.mark.slow
        ),
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
        """(the ratios that the loss makes something of, its metrics)."""
        data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))
        rows, ratios = jax.tree.map(lambda x: x[jnp.array([3, 1])], data), []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mappo, "policy_loss", lambda ratio, *rest: ratios.append(ratio) or policy_loss(ratio, *rest))
            _, metrics = learner.loss(state.params, rows, state.hparams, learner.team(state).numbers)
        return ratios, metrics

    (ratio,), metrics = first_minibatch(state, after, traj)
    assert ratio.shape == (2, learner.cfg.rollout_len, learner.env.num_agents)
    np.testing.assert_allclose(ratio, 1.0, atol=5e-5)
    assert metrics["clip_fraction"] == 0 and metrics["approx_kl"] == pytest.approx(0, abs=1e-6)


def updated(learner, state, _):
    """(parameters, metrics) after an update."""
    after, metrics = learner.update(state)
    return after.params, metrics


def differentiated(learner, state, traj):
    """(gradients, what the loss and the actions were) of an update and a step where the channel is, and not the task.

    What users run takes long to compile.
    """
    data, _, estimates = learner.prepare(state, traj, state.rollout, jax.random.key(2))
    view, env = learner.view(state.rollout), state.rollout.env
    moved, _ = learner.actor.explore(learner.team(state), jax.random.key(3), view, env, learner.batch)
    grads, metrics = jax.grad(learner.loss, has_aux=True)(
        state.params, data, state.hparams, learner.team(state).numbers
    )
    return grads, (metrics, estimates, moved.actions, moved.log_probs)


@pytest.mark.parametrize(
    ("preset", "of_update"),
    [
        ("commnet", differentiated),
        ("gumbel", differentiated),
        pytest.param("commnet", updated, marks=[pytest.mark.optimised, pytest.mark.slow]),
        pytest.param("gumbel", updated, marks=pytest.mark.slow),
    ],
)
def test_imperfections_of_no_strength_are_the_clean_channel_bit_for_bit(preset, of_update):
    clean = {"comm.preset": preset}
    faulty = {**clean, "comm.noise": 1.0, "comm.loss": 0.5} | ({"comm.bit_flip": 0.5} if preset == "gumbel" else {})

    def found(learner):
        state = lively(learner)
        traj = recorded(learner, state)
        step = jax.jit(partial(of_update, learner))
        return lambda numbers: jax.device_get(step(learner.vary(state, numbers), traj))

    nothing = {name: 0.0 for name in faulty if name not in clean}
    with_faults = found(learner_of("simple_reference_v3", **faulty))
    moved, told = found(learner_of("simple_reference_v3", **clean))({})
    other, told_otherwise = with_faults(nothing)
    jax.tree.map(np.testing.assert_array_equal, moved, other)
    jax.tree.map(np.testing.assert_array_equal, told, told_otherwise)
    noisy, _ = with_faults({"comm.noise": 1.0})
    same = jax.tree.map(np.array_equal, moved.policy, noisy.policy)
    assert not all(jax.tree.leaves(same))


# Delay


@pytest.mark.parametrize("delay", [1, 3])
def test_a_message_is_heard_so_many_steps_later_and_never_in_the_next_episode(delay):
    learner = learner_of("simple_reference_v3", **{"comm.aggregate": "concat", "comm.delay": delay, "rollout_len": 60})
    state, after, traj = played(learner)
    output = jax.device_get(jax.jit(lambda s, t: replayed(learner, s, t).talk)(state, traj))
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

    slope = jax.device_get(jax.jit(jax.grad(second_episode))(obs["agent"]))
    assert not slope[:, :25].any()
    assert np.abs(slope[:, 25:27]).max() > 0


def test_mail_of_the_last_rollout_is_heard_in_this_one():
    learner = learner_of("simple_reference_v3", **{"comm.delay": 2, "rollout_len": 5})
    state, after, first = played(learner)
    between = state._replace(rollout=after)
    _, second = jax.jit(learner.play)(between, jax.random.key(9))
    replay = jax.jit(lambda state, traj: replayed(learner, state, traj).talk)
    heard, sent = replay(between, second).heard, replay(state, first).packets.message[:, :, 0]
    np.testing.assert_allclose(heard[:, :2, 0], sent[:, 3:, 1], atol=1e-5)


def test_a_held_message_is_heard_until_the_next():
    held = {"comm.aggregate": "concat", "comm.gate": "every_n", "comm.gate_every": 10, "comm.gate_hold": True}
    learner = learner_of("simple_reference_v3", **held, rollout_len=60)
    state, after, traj = played(learner)
    output = jax.device_get(jax.jit(lambda s, t: replayed(learner, s, t).talk)(state, traj))
    sent, age = output.packets.message[:, :, 0], np.arange(60) % 25
    np.testing.assert_array_equal(output.packets.sent[0, :, 0, 0], age % 10 == 0)
    np.testing.assert_allclose(output.heard[:, :, 0], sent[:, np.arange(60) - age % 10, 1], atol=1e-6)
    np.testing.assert_allclose(after.memory.team.channel.held.message[:, 0], sent[:, 50], atol=1e-5)


# The task's own words, differentiable


def test_the_gradient_of_a_word_flows_back_through_the_environment():
    learner = learner_of("simple_speaker_listener_v4", **{"comm.preset": "none", "comm.speech": "differentiable"})
    state, _, traj = played(learner)

    @jax.jit
    @jax.grad
    def slope(seen):
        """Of what the listener does at step 10, by what the speaker saw at every step."""
        decision = replayed(learner, state, traj._replace(obs=traj.obs | {"speaker": seen}))
        move = environments_first(traj.actions)["listener"]
        return decision.distributions["listener"].log_prob({"move": move})[:, 10].sum()

    steepest = np.abs(slope(traj.obs["speaker"])).max(axis=(1, 2, 3))
    assert steepest[9] > 1e-7
    assert steepest[10] == steepest[8] == 0


def test_words_chosen_for_the_gradient_are_the_words_that_are_said():
    learner = learner_of("simple_reference_v3", **{"comm.preset": "none", "comm.speech": "differentiable"})
    state, _, traj = played(learner)
    said = np.asarray(jax.jit(lambda state, traj: replayed(learner, state, traj).said)(state, traj))  # [E, T, N, dim_c]
    spoken = learner.env.action_spaces["agent"].split(environments_first(traj.actions)["agent"])["say"]
    np.testing.assert_array_equal(said.argmax(-1), spoken)
    heard = environments_first(traj.obs)["agent"][..., -10:]
    np.testing.assert_array_equal(heard[:, 1:25, 0], said[:, :24, 1])
    assert len(np.unique(spoken)) > 3


# What the config asks of messages, and who hears them


def losses(learner, state, after, traj):
    """(loss, its measures, gradients of policy and critic) of a whole rollout."""

    @jax.jit
    def losses_of(state, after, traj):
        data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))
        loss = jax.value_and_grad(learner.loss, has_aux=True)
        return loss(state.params, data, state.hparams, learner.team(state).numbers)

    (value, measures), grads = losses_of(state, after, traj)
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
    presets = {"comm.preset": preset}
    plain, asking = (learner_of("simple_reference_v3", **presets, **x) for x in ({}, {f"comm.{setting}": 0.7}))
    without, with_it = (losses(learner, *played(plain)) for learner in (plain, asking))
    assert with_it[0] - without[0] == pytest.approx(0.7 * float(with_it[1][measure]), abs=1e-4)
    assert float(with_it[1][measure]) != 0
    asked = jax.tree.map(lambda a, b: np.abs(a - b).max(), with_it[2].policy, without[2].policy)
    assert max(jax.tree.leaves(asked)) > 1e-4


def test_a_critic_that_listens_teaches_the_speaker_and_a_policy_that_does_not_is_deaf():
    learner = learner_of("simple_reference_v3", **{"comm.integrate_into": "critic"})
    state, after, traj = played(learner)

    @jax.jit
    def probe(state, after, traj):
        """What is replayed of the observations as they are and with another's changed; how critics alone teach."""
        data, _, _ = learner.prepare(state, traj, after, jax.random.key(2))

        def replay(changed):
            obs = {"agent": data.obs["agent"].at[:, :, 1].add(changed)}
            return learner.actor.replay(learner.team(state), obs, data.circumstances, data.memory.team)

        silent = state.hparams._replace(ent_coef=jnp.zeros(()))
        idle = data._replace(advantages=jnp.zeros_like(data.advantages))
        grads, _ = jax.grad(learner.loss, has_aux=True)(state.params, idle, silent, learner.team(state).numbers)
        found = [
            (decision.outputs["agent"][..., 0, :], decision.talk.heard[..., 0, :]) for decision in map(replay, (0, 0.7))
        ]
        return found, grads.policy["params"]["agent_message_0"]["Dense_0"]["kernel"]

    ((deaf, heard), (as_deaf, heard_other)), of_message = jax.device_get(probe(state, after, traj))
    np.testing.assert_array_equal(deaf, as_deaf)
    assert (heard != heard_other).any()
    assert np.abs(of_message).max() > 1e-6


# Execution


@pytest.mark.parametrize("preset", ["gumbel", "dial"])
def test_execution_draws_nothing_to_speak(preset):
    """With different luck agents say the same, where in training they would not."""
    learner = learner_of("simple_reference_v3", **{"comm.preset": preset})
    state, after, _ = played(learner)
    view = learner.actor.view(learner.batch, after.env, after.obs, learner.actor.memory(4))
    act = jax.jit(lambda key: learner.actor.act(learner.team(state), key, view, True, unchanged).messages)
    said = [act(jax.random.key(k)) for k in (1, 2)]
    np.testing.assert_array_equal(*said)
    assert set(np.unique(said[0])) == {0.0, 1.0}
