"""PPO's losses against numbers worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.losses import approx_kl, policy_loss, value_loss


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.0, 2.0, -2.0),
        (1.5, 2.0, -2.4),  # a good action is not pushed beyond 1.2
        (0.5, 2.0, -1.0),  # but its fall is felt in full
        (0.5, -2.0, 1.6),  # a bad action is not pushed below 0.8
        (1.5, -2.0, 3.0),
    ],
)
def test_policy_loss(ratio, advantage, expected):
    np.testing.assert_allclose(policy_loss(jnp.array(ratio), jnp.array(advantage), 0.2), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, 0.405),  # within the clip of the old value 0: half of 0.9²
        (0.5, 0.32),  # beyond it the clipped value's error, half of 0.8², is the larger
        (-0.5, 1.125),  # away from the target: the value's own error, half of 1.5²
    ],
)
def test_value_loss(value, expected):
    np.testing.assert_allclose(value_loss(*map(jnp.array, (value, 0.0, 1.0)), 0.2, 0), expected, rtol=1e-6)


def test_approx_kl_is_zero_at_no_change_and_never_negative():
    assert approx_kl(jnp.array(0.0)) == 0
    np.testing.assert_allclose(approx_kl(jnp.log(2.0)), 1 - np.log(2), rtol=1e-6)
    assert (approx_kl(jnp.linspace(-3, 3, 50)) >= 0).all()
