"""Advantages, reward sharing and value normalisation, against numbers worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.returns import ValueNorm, gae, share_rewards


def advantages(terminated, ended, gamma=0.5, gae_lambda=0.5):
    """Three steps of reward 1, values 2, next values 4."""
    flags = [jnp.array(x, bool) for x in (terminated, ended)]
    return gae(jnp.ones(3), jnp.full(3, 2.0), jnp.full(3, 4.0), *flags, gamma, gae_lambda)


def test_gae_by_hand():
    # every delta is 1 + 0.5 * 4 - 2 = 1; backwards with 0.25: 1, 1 + 0.25, 1 + 0.25 * 1.25
    np.testing.assert_allclose(advantages([0, 0, 0], [0, 0, 0]), [1.3125, 1.25, 1.0])


def test_truncation_keeps_the_value_of_what_would_follow_but_not_its_advantages():
    np.testing.assert_allclose(advantages([0, 0, 0], [0, 1, 0]), [1.25, 1.0, 1.0])


def test_termination_drops_the_value_of_what_would_follow():
    # at the terminated step delta is 1 - 2 = -1
    np.testing.assert_allclose(advantages([0, 1, 0], [0, 1, 0]), [0.75, -1.0, 1.0])


@pytest.mark.parametrize(
    ("weight", "expected"),
    [(0.0, [2.0, 4.0, 10.0]), (1.0, [3.0, 3.0, 10.0]), (0.5, [2.5, 3.5, 10.0])],
)
def test_rewards_are_shared_within_teams_only(weight, expected):
    shared = share_rewards(jnp.array([2.0, 4.0, 10.0]), teams=(0, 0, 1), weight=weight)
    np.testing.assert_allclose(shared, expected)


def test_value_norm_is_debiased_and_inverts():
    returns = jnp.array([[[1.0, 10.0]], [[3.0, 30.0]]])  # [T=2, E=1, N=2]
    norm = ValueNorm.start(2).update(returns, decay=0.99)
    mean, std = norm.moments()
    np.testing.assert_allclose(mean, [2.0, 20.0], rtol=1e-4)
    np.testing.assert_allclose(std, [1.0, 10.0], rtol=1e-4)
    np.testing.assert_allclose(norm.denormalise(norm.normalise(returns)), returns, rtol=1e-5)


def test_value_norm_leaves_values_alone_before_the_first_update():
    np.testing.assert_array_equal(ValueNorm.start(2).denormalise(jnp.array([5.0, -5.0])), [5.0, -5.0])
