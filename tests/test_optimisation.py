"""Each option of the update does what it says, against numbers worked out by hand or the update without it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.hyperparams import left, of_config
from jaxmarl_comm.algorithms.losses import value_loss
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.ppo_state import Hyperparams
from jaxmarl_comm.algorithms.returns import Estimates, explained_variance, normalise
from jaxmarl_comm.config import ConfigError, default_cfg
from jaxmarl_comm.envs import make_env
from learners import lively

SMALL = {"num_envs": 8, "num_minibatches": 2, "ppo_epochs": 2, "hidden_dim": 8, "rollout_len": 4, "num_iters": 10}
USUAL = {"log_agent_metrics": True}
DATA = {}  # compiled once, as no option here changes a rollout
OPTIMISE = {}  # once for all hyperparameters, which are in the state


def learner_of(**changes):
    cfg = default_cfg().replace({**SMALL, "comm.preset": "none", **changes})
    return Mappo(cfg, make_env(cfg.env.name))


def optimised(**changes):
    """(parameters before, after, metrics) of the update on the same rollout, whatever the options."""
    learner = learner_of(**changes)
    if not DATA:
        plain = learner_of(advantage_norm="none")
        state = lively(plain)
        after, traj = jax.jit(plain.play)(state, jax.random.key(1))
        DATA["all"] = state, jax.jit(plain.prepare)(state, traj, after, jax.random.key(2))[0]
    state, data = DATA["all"]
    state = state._replace(hparams=of_config(Hyperparams, learner.cfg))
    options = repr({name: value for name, value in changes.items() if name not in Hyperparams._fields})
    optimise = OPTIMISE.setdefault(options, jax.jit(learner.optimise))
    (params, _), metrics = optimise(state, data, jax.random.key(3))
    return state.params, params, metrics


def moved(before, after):
    return max(jax.tree.leaves(jax.tree.map(lambda a, b: float(np.abs(a - b).max()), before, after)))


@pytest.fixture(scope="module")
def usual():
    """With metrics of agents, which change nothing."""
    return optimised(**USUAL)


@pytest.mark.parametrize(
    ("schedule", "end", "expected"),
    [
        ("constant", 0.0, [1, 1, 1]),
        ("linear", 0.0, [1, 0.5, 0]),
        ("linear", 0.2, [1, 0.6, 0.2]),
        ("cosine", 0.2, [1, 0.6, 0.2]),
        ("cosine", 0.0, [1, 0.5, 0]),
    ],
)
def test_schedules(schedule, end, expected):
    found = [left(schedule, end, jnp.array(progress)) for progress in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_cosine_begins_and_ends_gently():
    np.testing.assert_allclose(left("cosine", 0.0, jnp.array(0.25)), (1 + np.cos(np.pi / 4)) / 2, rtol=1e-6)


def test_schedules_reach_what_they_are_of():
    learner = learner_of(lr_end=0.5, critic_lr=1e-2, clip_eps_schedule="linear", ent_coef_schedule="cosine")
    state = lively(learner)
    now = learner.present(state._replace(iteration=jnp.array(5)))
    found = [now.lr[0], now.critic_lr[0], now.clip_eps, now.ent_coef[0]]
    np.testing.assert_allclose(found, [5e-3 * 0.75, 1e-2 * 0.75, 0.1 * 0.55, 0.001 * 0.5], rtol=1e-5)


def test_a_varied_lr_is_the_critics_too_unless_they_have_their_own():
    shared, apart = learner_of(), learner_of(critic_lr=0.2)
    assert shared.vary(lively(shared), {"lr": 0.1}).hparams.critic_lr == jnp.float32(0.1)
    assert apart.vary(lively(apart), {"lr": 0.1}).hparams.critic_lr == jnp.float32(0.2)


@pytest.mark.parametrize(
    ("value", "clip_eps", "huber_delta", "expected"),
    [
        (0.5, None, 0.0, 0.125),  # half of 0.5², whatever the old value
        (-3.0, None, 1.0, 3.5),  # 1 * (4 - 1/2)
        (-3.0, None, 10.0, 8.0),  # within delta: half of 4²
        (0.5, 0.2, 0.5, 0.275),  # clipped to 0.2: 0.5 * (0.8 - 0.25)
    ],
)
def test_value_losses(value, clip_eps, huber_delta, expected):
    arrays = map(jnp.array, (value, 0.0, 1.0))
    np.testing.assert_allclose(value_loss(*arrays, clip_eps, huber_delta), expected, rtol=1e-6)


def test_explained_variance():
    returns = jnp.array([[[0.0, 0.0]], [[2.0, 2.0]]])
    values = jnp.array([[[0.0, 1.0]], [[1.0, 1.0]]])  # one knows half of the difference, the other nothing
    np.testing.assert_allclose(explained_variance(Estimates(values, returns)), [0.75, 0.0], atol=1e-6)


def test_advantages_are_normalised_within_what_is_asked():
    env, advantages = make_env("simple_reference_v3"), jnp.array([[1.0, 10.0], [3.0, 30.0]])
    np.testing.assert_allclose(normalise("agent", env, advantages), [[-1, -1], [1, 1]], rtol=1e-5)
    both = (np.asarray(advantages) - 11) / np.std([1, 10, 3, 30])
    np.testing.assert_allclose(normalise("group", env, advantages), both, rtol=1e-5)
    np.testing.assert_array_equal(normalise("none", env, advantages), advantages)


def test_minibatches_may_be_normalised_each_for_itself(usual):
    _, after, _ = optimised(advantage_norm="minibatch")
    assert moved(usual[1].policy, after.policy) > 1e-5


def test_gradients_in_parts_are_those_of_the_whole(usual):
    _, after, metrics = optimised(grad_accumulation=4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), usual[1], after)
    np.testing.assert_allclose(metrics["value_loss"], usual[2]["value_loss"], rtol=1e-4)


def test_critics_may_learn_at_another_rate(usual):
    before, after, _ = optimised(**USUAL, critic_lr=1e-9)
    assert moved(before.critic, after.critic) < 1e-7
    assert moved(usual[1].policy, after.policy) < 1e-6


def test_updates_stop_where_the_policy_has_moved_far_enough(usual):
    before, after, metrics = optimised(target_kl=1e-9)
    assert metrics["skipped_updates"] == 0.75  # all but the first of four minibatches, before which nothing had moved
    assert 0.9 * 5e-3 < moved(before.policy, after.policy) < 1.1 * 5e-3  # one step of Adam
    _, after, metrics = optimised(target_kl=1e9)
    assert metrics["skipped_updates"] == 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), usual[1], after)


def test_without_a_weight_critics_stand_still_and_unclipped_values_move_as_far_as_they_will(usual):
    before, after, _ = optimised(**USUAL, vf_coef=0.0)
    assert moved(before.critic, after.critic) == 0
    _, free, _ = optimised(clip_values=False, huber_delta=0.1)
    assert moved(usual[1].critic, free.critic) > 1e-5


def test_metrics_of_agents_have_the_teams_as_their_means(usual):
    _, _, metrics = usual
    for measure in ("entropy", "policy_loss", "value_loss", "approx_kl"):
        of_agents = [metrics[f"{measure}/agent_{k}"] for k in range(2)]
        np.testing.assert_allclose(np.mean(of_agents), metrics[measure], rtol=1e-4, atol=1e-7)


def test_unnormalised_values_are_in_units_of_the_reward():
    learner = learner_of(value_norm=False)
    state, metrics = jax.jit(learner.update)(lively(learner))
    assert state.value_norm.moments()[0].tolist() == [0, 0]
    assert np.isfinite(metrics["value_loss"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"clip_eps_end": 0.5}, "clip_eps_end means nothing while clip_eps_schedule is constant"),
        ({"lr_schedule": "constant", "lr_end": 0.5}, "lr_end means nothing while lr_schedule is constant"),
        ({"grad_accumulation": 3}, r"a minibatch of 32 environments cannot be cut into grad_accumulation \(3\)"),
        ({"comm.preset": "gumbel", "comm.signalling_coef": 0.1, "grad_accumulation": 2}, "needs grad_accumulation 1"),
        ({"lr_schedule": "steps"}, "'lr_schedule' is 'steps'"),
        ({"critic_lr": 0}, "'critic_lr' is 0"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)
