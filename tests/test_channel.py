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

TASKS = ("simple_reference_v3", "simple_speaker_listener_v4", "simple_spread_v3")


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
    return max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(of_speaker) if leaf.size)


@pytest.mark.parametrize("rounds", [1, 2])
def test_the_listeners_loss_reaches_the_speaker(rounds):
    assert gradient_to_speaker(rounds, everyone(2)) > 1e-6


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_cut_link_carries_no_gradient_at_all(rounds):
    assert gradient_to_speaker(rounds, np.zeros((2, 2))) == 0


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "changes",
    [
        {"comm.preset": "commnet", "comm.rounds": 2},
        {"comm.preset": "speech"},
        {"env.continuous_actions": True},
        {"share_params": False},
    ],
)
def test_the_first_minibatch_has_ratio_one(task, changes):
    cfg, env = small(task, **changes)
    learner = Mappo(cfg, env)
    state = jax.jit(learner.init)(jax.random.key(0))
    params = state.params.policy
    after, traj = jax.jit(
        lambda key: rollout(
            learner.batch,
            lambda k, obs: learner.act_and_log_prob(params, k, obs),
            lambda obs: learner.values(state.params.critic, state.value_norm, obs),
            key,
            state.rollout,
            cfg.rollout_len,
        )
    )(jax.random.key(1))
    data, _, _ = jax.jit(learner.prepare)(state, traj, after.obs)
    rows = jax.tree.map(lambda x: x[jnp.array([5, 1, 3])], data)
    metrics = jax.jit(learner.loss)(state.params, rows, state.hparams)[1]
    assert metrics["approx_kl"] == pytest.approx(0, abs=1e-6)
    assert metrics["clip_fraction"] == 0
    distributions, _ = learner.distributions(params, rows.obs, unchanged)
    spaces = env.action_spaces
    again = env.join({g: d.log_prob(spaces[g].split(rows.actions[g])) for g, d in distributions.items()})
    np.testing.assert_allclose(jnp.exp(again - rows.log_probs), 1.0, atol=2e-5)


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
