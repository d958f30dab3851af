"""Factorised action distributions and their map to PettingZoo's actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxmarl_comm.distributions import InnerBeta, action_distribution, num_outputs
from jaxmarl_comm.envs.base import ActionSpace
from jaxmarl_comm.gamma import digamma, draw_gamma, log_gamma

SPACE = ActionSpace((("move", 5), ("say", 10)), continuous=False)


def test_index_is_five_times_word_plus_move():
    parts = {"move": jnp.array([3, 4]), "say": jnp.array([0, 9])}
    index = SPACE.join(parts, (2,))
    np.testing.assert_array_equal(index, [3, 49])
    for name, part in SPACE.split(index).items():
        np.testing.assert_array_equal(part, parts[name])


def test_a_missing_factor_is_zero():
    np.testing.assert_array_equal(SPACE.join({"move": jnp.array([2])}, (1,)), [2])


def test_factors_are_independent():
    logits = jax.random.normal(jax.random.key(0), (15,))
    distribution = action_distribution(logits, dict(SPACE.factors), continuous=False)
    move, say = jax.nn.log_softmax(logits[:5]), jax.nn.log_softmax(logits[5:])
    for action in (0, 7, 49):
        parts = SPACE.split(jnp.array(action))
        np.testing.assert_allclose(distribution.log_prob(parts), move[action % 5] + say[action // 5], rtol=1e-5)
    entropy = -(jnp.exp(move) * move).sum() - (jnp.exp(say) * say).sum()
    np.testing.assert_allclose(distribution.entropy(), entropy, rtol=1e-5)
    assert distribution.mode() == {"move": jnp.argmax(move), "say": jnp.argmax(say)}


def test_samples_have_the_probabilities_that_they_claim():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.2]))
    draw = jax.vmap(lambda key: action_distribution(logits, {"move": 3}, False).sample(key)["move"])
    counts = np.bincount(draw(jax.random.split(jax.random.key(1), 10_000)), minlength=3)
    np.testing.assert_allclose(counts / 10_000, [0.5, 0.3, 0.2], atol=0.02)


def test_continuous_actions_lie_in_the_box_and_the_density_integrates_to_one():
    outputs = jnp.array([0.3, -1.0])
    assert num_outputs({"move": 1}, continuous=True) == 2
    distribution = action_distribution(outputs, {"move": 1}, continuous=True)
    grid = (jnp.arange(2000) + 0.5) / 2000
    density = jnp.exp(jax.vmap(lambda x: distribution.log_prob({"move": x[None]}))(grid))
    assert density.mean() == pytest.approx(1.0, abs=1e-3)
    sample = distribution.sample(jax.random.key(0))["move"]
    assert sample.shape == (1,) and 0 <= sample[0] <= 1
    assert grid[jnp.argmax(density)] == pytest.approx(float(distribution.mode()["move"][0]), abs=1e-3)


def test_gamma_functions_are_those_of_scipy_above_one():
    """To a few units in the last place of float32, or of the largest term."""
    x = np.concatenate([1 + np.geomspace(1e-6, 1, 500), np.geomspace(2, 2000, 500)]).astype(np.float32)
    exact = special.gammaln(x.astype(float))
    np.testing.assert_allclose(log_gamma(x), exact, rtol=4e-6, atol=4e-6)
    np.testing.assert_allclose(digamma(x), special.digamma(x.astype(float)), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(log_gamma))(x), special.digamma(x.astype(float)), atol=5e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(digamma))(x), special.polygamma(1, x.astype(float)), atol=2e-6)


def test_draws_of_a_diverged_policy_are_nan_at_once():
    drawn = jax.jit(draw_gamma)(jax.random.key(0), jnp.array([2.0, jnp.nan, 1.5]))
    np.testing.assert_array_equal(np.isnan(drawn), [False, True, False])


@pytest.mark.parametrize(("alpha", "beta"), [(1.0001, 1.0001), (2.0, 5.0), (1.01, 300.0), (700.0, 1001.0)])
def test_a_beta_distribution_is_that_of_scipy(alpha, beta):
    ours, exact = InnerBeta(jnp.full(20_000, alpha), jnp.full(20_000, beta)), stats.beta(alpha, beta)
    drawn = np.asarray(ours.sample(seed=jax.random.key(1)))
    assert stats.kstest(drawn, exact.cdf).pvalue > 1e-3
    np.testing.assert_allclose(ours.log_prob(drawn)[:100], exact.logpdf(drawn[:100]), rtol=1e-3, atol=2e-3)
    assert ours.entropy()[0] == pytest.approx(exact.entropy(), abs=1e-3)


def test_an_agent_without_choice_has_no_entropy():
    distribution = action_distribution(jnp.zeros((4, 0)), {}, continuous=False)
    assert distribution.sample(jax.random.key(0)) == {}
    np.testing.assert_array_equal(distribution.log_prob({}), jnp.zeros(4))
    np.testing.assert_array_equal(distribution.entropy(), jnp.zeros(4))


@pytest.mark.parametrize("outputs", [(-200.0, -200.0), (-200.0, 0.0), (1e9, -200.0), (1e9, 1e9), (20.0, -15.0)])
def test_continuous_actions_are_finite_wherever_a_network_may_drive_them(outputs):
    """Draws, modes, log-probabilities, entropies and all their gradients; float32 draws of 1.0 are kept inside."""
    keys = jax.random.split(jax.random.key(0), 2000)

    def measures(outputs):
        distribution = action_distribution(outputs, {"move": 1}, continuous=True)
        drawn = jax.lax.stop_gradient(jax.vmap(distribution.sample)(keys))
        at_edges = {"move": jnp.array([[1e-6], [1 - 1e-6]])}
        return (
            drawn["move"],
            distribution.mode()["move"],
            distribution.log_prob(drawn).sum() + (distribution.log_prob(at_edges).sum() + distribution.entropy()),
        )

    drawn, mode, density = measures(jnp.array(outputs))
    assert ((drawn > 0) & (drawn < 1)).all() and (mode >= 0).all() and (mode <= 1).all()
    assert jnp.isfinite(density) and jnp.isfinite(jax.grad(lambda x: measures(x)[2])(jnp.array(outputs))).all()
