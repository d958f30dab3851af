"""How far apart distributions over actions are."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import beta

from jaxmarl_comm.distributions import action_distribution
from jaxmarl_comm.evaluation.distance import distances


def test_distances_of_continuous_actions_are_right_on_average():
    """Of two numbers, one of which moves a little in the second distribution and far in the third; in 2,000 cells."""
    parameters = np.array([[[2.0, 5.0], [2.0, 2.0]], [[3.0, 5.0], [2.0, 2.0]], [[60.0, 2.0], [2.0, 2.0]]])
    outputs = np.log(np.expm1(parameters - 1)).transpose(0, 2, 1).reshape(3, 1, 1, 4)  # alphas, then betas
    many = jnp.asarray(np.broadcast_to(outputs, (3, 2000, 1, 4)), jnp.float32)
    factors = jax.vmap(lambda x: action_distribution(x, {"move": 2}, "beta").factors)(many)
    found = jax.jit(lambda key: distances(factors, (3, 2000, 1), True, key))(jax.random.key(0))
    x = (np.arange(10_000) + 0.5) / 10_000
    p, q = (beta.pdf(x, *parameters[k, 0]) / 10_000 for k in (0, 1))  # the other number does not differ
    np.testing.assert_allclose(found.tv.mean(axis=(1, 2)), [0, np.abs(p - q).sum() / 2, 1], atol=0.02)
    divergence = (np.sum(p * np.log(2 * p / (p + q))) + np.sum(q * np.log(2 * q / (p + q)))) / 2
    np.testing.assert_allclose(found.js.mean(axis=(1, 2)), [0, divergence, np.log(2)], atol=0.01)
    np.testing.assert_array_equal(found.changed.mean(axis=(1, 2)), [0, 1, 1])  # the mode moves from 1/5 to 1/3
