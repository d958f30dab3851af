"""PPO's losses (Schulman et al. 2017), element by element: no means taken, nothing known of networks."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def policy_loss(ratio: Array, advantage: Array, clip_eps: Array) -> Array:
    """Clipped surrogate, negated: `-min(ratio * A, clip(ratio, 1 ± clip_eps) * A)`."""
    chex.assert_equal_shape([ratio, advantage])
    clipped = jnp.clip(ratio, 1 - clip_eps, 1 + clip_eps)
    return -jnp.minimum(ratio * advantage, clipped * advantage)


def value_loss(value: Array, old_value: Array, target: Array, clip_eps: Array) -> Array:
    """Half the squared error, the larger of that of the value and of the value kept within clip_eps of the old one.

    All in units of the normalised return: a clip of 0.2 would stop learning on raw returns.
    """
    chex.assert_equal_shape([value, old_value, target])
    near_old = old_value + jnp.clip(value - old_value, -clip_eps, clip_eps)
    return 0.5 * jnp.maximum((value - target) ** 2, (near_old - target) ** 2)


def approx_kl(log_ratio: Array) -> Array:
    """`(ratio - 1) - log ratio`, whose mean estimates KL(old || new) without bias and is never negative."""
    return jnp.expm1(log_ratio) - log_ratio
