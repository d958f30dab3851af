"""Factorised action distributions and their map to PettingZoo's actions."""

import distrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxmarl_comm.distributions import Choice, InnerBeta, action_distribution, num_outputs
from jaxmarl_comm.envs.base import ActionSpace
from jaxmarl_comm.gamma import digamma, draw_gamma, log_gamma

KEY = jax.random.key(0)
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
    logits, actions = np.random.default_rng(0).normal(size=15), np.array([0, 7, 49])

    @jax.jit
    def measures():
        distribution = action_distribution(logits, dict(SPACE.factors), "categorical")
        log_probs = [distribution.log_prob(SPACE.split(action)) for action in jnp.array(actions)]
        return log_probs, distribution.entropy(), distribution.mode()

    log_probs, entropy, mode = measures()
    move, say = special.log_softmax(logits[:5]), special.log_softmax(logits[5:])
    np.testing.assert_allclose(log_probs, move[actions % 5] + say[actions // 5], rtol=1e-5)
    np.testing.assert_allclose(entropy, -(np.exp(move) * move).sum() - (np.exp(say) * say).sum(), rtol=1e-5)
    assert mode == {"move": np.argmax(move), "say": np.argmax(say)}


def test_samples_have_the_probabilities_that_they_claim():
    logits = np.log([0.5, 0.3, 0.2])
    draw = jax.vmap(lambda key: action_distribution(logits, {"move": 3}, "categorical").sample(key)["move"])
    drawn = jax.jit(lambda: draw(jax.random.split(jax.random.key(1), 10_000)))()
    counts = np.bincount(drawn, minlength=3)
    np.testing.assert_allclose(counts / 10_000, [0.5, 0.3, 0.2], atol=0.02)


def test_an_action_without_any_probability_is_never_drawn():
    logits = jnp.array([-200.0, 0.0, -200.0, 0.0])
    drawn = Choice(logits=logits).sample(seed=KEY, sample_shape=10_000)
    assert set(np.unique(drawn)) == {1, 3}


def test_rounding_gives_the_last_choice_no_chance_that_it_has_not(monkeypatch):
    """In float32, sums of probabilities end below 1, and numbers drawn from 0 to 1 may lie above them."""
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape: jnp.full(shape, 1 - 2.0**-24))
    logits = np.random.default_rng(2).normal(size=(1000, 16))
    logits[:, -1] = -1e4
    assert Choice(logits=jnp.array(logits)).sample(seed=KEY).max() < 15


def test_choices_are_those_of_distrax_in_all_but_how_they_are_drawn():
    logits = jnp.array(np.random.default_rng(1).normal(size=(7, 5)))
    ours, theirs = Choice(logits=logits), distrax.Categorical(logits=logits)
    value = jnp.arange(7) % 5

    def loss(make):
        def of(logits):
            made = make(logits=logits)
            return (made.log_prob(value) + 0.3 * made.entropy()).sum()

        return jax.grad(of)(logits)

    np.testing.assert_allclose(ours.probs, theirs.probs, rtol=1e-6)
    np.testing.assert_allclose(ours.log_prob(value), theirs.log_prob(value), rtol=1e-6)
    np.testing.assert_allclose(ours.entropy(), theirs.entropy(), rtol=1e-6)
    np.testing.assert_allclose(loss(Choice), loss(distrax.Categorical), atol=1e-6)


def test_continuous_actions_lie_in_the_box_and_the_density_integrates_to_one():
    outputs, grid = np.array([0.3, -1.0]), (np.arange(2000) + 0.5) / 2000
    assert num_outputs({"move": 1}, "beta") == 2

    @jax.jit
    def measures():
        distribution = action_distribution(outputs, {"move": 1}, "beta")
        density = jnp.exp(jax.vmap(lambda x: distribution.log_prob({"move": x[None]}))(jnp.array(grid)))
        return density, distribution.sample(jax.random.key(0))["move"], distribution.mode()["move"]

    density, sample, mode = jax.device_get(measures())
    assert density.mean() == pytest.approx(1.0, abs=1e-3)
    assert sample.shape == (1,) and 0 <= sample[0] <= 1
    assert grid[np.argmax(density)] == pytest.approx(mode[0], abs=1e-3)


def test_gamma_functions_are_those_of_scipy_above_one():
    """To a few units in the last place of float32, or of the largest term."""
    x = np.concatenate([1 + np.geomspace(1e-6, 1, 500), np.geomspace(2, 2000, 500)]).astype(np.float32)
    exact = special.gammaln(x.astype(float))
    functions = (log_gamma, digamma, jax.vmap(jax.grad(log_gamma)), jax.vmap(jax.grad(digamma)))
    log_gammas, digammas, slopes, curvatures = jax.jit(lambda x: [f(x) for f in functions])(x)
    np.testing.assert_allclose(log_gammas, exact, rtol=4e-6, atol=4e-6)
    np.testing.assert_allclose(digammas, special.digamma(x.astype(float)), rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(slopes, special.digamma(x.astype(float)), atol=5e-6)
    np.testing.assert_allclose(curvatures, special.polygamma(1, x.astype(float)), atol=2e-6)


def test_draws_of_a_diverged_policy_are_nan_at_once():
    drawn = jax.jit(draw_gamma)(jax.random.key(0), jnp.array([2.0, jnp.nan, 1.5]))
    np.testing.assert_array_equal(np.isnan(drawn), [False, True, False])


@jax.jit
def of_beta(alpha, beta):
    """Draws, log-probabilities of the first of them, entropy."""
    ours = InnerBeta(jnp.full(20_000, alpha), jnp.full(20_000, beta))
    drawn = ours.sample(seed=jax.random.key(1))
    return drawn, ours.log_prob(drawn)[:100], ours.entropy()[0]


@pytest.mark.parametrize(("alpha", "beta"), [(1.0001, 1.0001), (2.0, 5.0), (1.01, 300.0), (700.0, 1001.0)])
def test_a_beta_distribution_is_that_of_scipy(alpha, beta):
    (drawn, log_probs, entropy), exact = jax.device_get(of_beta(alpha, beta)), stats.beta(alpha, beta)
    assert stats.kstest(drawn, exact.cdf).pvalue > 1e-3
    np.testing.assert_allclose(log_probs, exact.logpdf(drawn[:100]), rtol=1e-3, atol=2e-3)
    assert entropy == pytest.approx(exact.entropy(), abs=1e-3)


def test_an_agent_without_choice_has_no_entropy():
    distribution = action_distribution(jnp.zeros((4, 0)), {}, "categorical")
    assert distribution.sample(jax.random.key(0)) == {}
    np.testing.assert_array_equal(distribution.log_prob({}), jnp.zeros(4))
    np.testing.assert_array_equal(distribution.entropy(), jnp.zeros(4))


@jax.jit
def extremes(outputs):
    """Draws, the mode, and the sum of everything else with its gradient, of a policy with these outputs."""

    def measures(outputs):
        distribution = action_distribution(outputs, {"move": 1}, "beta")
        keys = jax.random.split(jax.random.key(0), 2000)
        drawn = jax.lax.stop_gradient(jax.vmap(distribution.sample)(keys))
        at_edges = {"move": jnp.array([[1e-6], [1 - 1e-6]])}
        densities = distribution.log_prob(drawn).sum() + distribution.log_prob(at_edges).sum() + distribution.entropy()
        return densities.sum(), (drawn["move"], distribution.mode()["move"])

    return jax.value_and_grad(measures, has_aux=True)(outputs)


@pytest.mark.parametrize("outputs", [(-200.0, -200.0), (-200.0, 0.0), (1e9, -200.0), (1e9, 1e9), (20.0, -15.0)])
def test_continuous_actions_are_finite_wherever_a_network_may_drive_them(outputs):
    """Draws, modes, log-probabilities, entropies and all their gradients; float32 draws of 1.0 are kept inside."""
    (densities, (drawn, mode)), slope = jax.device_get(extremes(np.array(outputs)))
    assert ((drawn > 0) & (drawn < 1)).all() and (mode >= 0).all() and (mode <= 1).all()
    assert np.isfinite(densities) and np.isfinite(slope).all()
