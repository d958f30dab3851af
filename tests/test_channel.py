"""The channel is differentiable, stays cut where it is cut, and is recomputed in the update."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.rollout import rollout
from jaxmarl_comm.comm.channel import aggregate_mean, everyone, unchanged
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env


def small(task, **changes):
    cfg = default_cfg().replace(
        {"env.name": task, "num_envs": 8, "num_minibatches": 2, "hidden_dim": 16, "rollout_len": 30, **changes}
    )
    return cfg, make_env(task, **cfg.env.arguments)


def test_mean_of_the_others_by_hand():
    messages = jnp.array([[1.0], [3.0], [8.0]])
    np.testing.assert_allclose(aggregate_mean(messages, everyone(3)), [[5.5], [4.5], [2.0]])


def test_who_hears_nobody_hears_zero():
    links = np.array([[0.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(aggregate_mean(jnp.array([[1.0], [3.0]]), links), [[3.0], [0.0]])


def gradient_to_speaker(rounds, links):
    """Largest gradient of the listener's log-probabilities with respect to the speaker's parameters."""
    cfg, env = small("simple_speaker_listener_v4", **{"comm.rounds": rounds})
    learner = Mappo(cfg, env)
    learner.policy_net = learner.policy_net.clone(links=links)
    params = learner.policy_net.init(
        jax.random.key(0), obs := {"speaker": jnp.ones((4, 1, 3)), "listener": jnp.ones((4, 1, 11))}, unchanged
    )

    def listener_log_prob(params):
        return (
            learner.distributions(params, obs, unchanged)[0]["listener"].log_prob({"move": jnp.ones((4, 1), int)}).sum()
        )

    grads = jax.grad(listener_log_prob)(params)["params"]
    of_speaker = [g for name, g in grads.items() if name.startswith("speaker_")]
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(of_speaker))


@pytest.mark.parametrize("rounds", [1, 2])
def test_the_listeners_loss_reaches_the_speaker(rounds):
    assert gradient_to_speaker(rounds, everyone(2)) > 1e-6


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_cut_link_carries_no_gradient_at_all(rounds):
    assert gradient_to_speaker(rounds, np.zeros((2, 2))) == 0


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("simple_reference_v3", {"comm.rounds": 2}),
        ("simple_reference_v3", {"comm.preset": "speech"}),
        ("simple_speaker_listener_v4", {"env.continuous_actions": True, "comm.preset": "speech"}),
        ("simple_speaker_listener_v4", {}),
        ("simple_spread_v3", {"share_params": False, "env.continuous_actions": True}),
    ],
)
def test_the_first_minibatch_has_ratio_one(task, changes):
    """What the update recomputes, messages included, is what the rollout did."""
    cfg, env = small(task, **changes)
    learner = Mappo(cfg, env)

    @jax.jit
    def first_minibatch(key):
        state = learner.init(key)
        params = state.params
        after, traj = rollout(
            learner.batch,
            lambda k, obs: learner.act_and_log_prob(params.policy, k, obs),
            lambda obs: learner.values(params.critic, state.value_norm, obs),
            jax.random.key(1),
            state.rollout,
            cfg.rollout_len,
        )
        data, _, _ = learner.prepare(state, traj, after.obs)
        rows = jax.tree.map(lambda x: x[jnp.array([5, 1, 3])], data)
        distributions, _ = learner.distributions(params.policy, rows.obs, unchanged)
        again = {g: d.log_prob(env.action_spaces[g].split(rows.actions[g])) for g, d in distributions.items()}
        return jnp.exp(env.join(again) - rows.log_probs), learner.loss(params, rows, state.hparams)[1]

    ratio, metrics = first_minibatch(jax.random.key(0))
    np.testing.assert_allclose(ratio, 1.0, atol=2e-5)
    assert metrics["clip_fraction"] == 0 and metrics["approx_kl"] == pytest.approx(0, abs=1e-6)


def test_without_a_channel_agents_do_not_influence_each_other():
    cfg, env = small("simple_reference_v3", **{"comm.preset": "none"})
    learner = Mappo(cfg, env)
    state = jax.jit(learner.init)(jax.random.key(0))
    obs = state.rollout.obs["agent"]
    changed = obs.at[:, 1, 8:11].set(0.7)  # the goal that only agent 1 sees
    first, second = (
        learner.policy_net.apply(state.params.policy, {"agent": o}, unchanged)[0]["agent"] for o in (obs, changed)
    )
    np.testing.assert_array_equal(first[:, 0], second[:, 0])
    assert (first[:, 1] != second[:, 1]).any()
