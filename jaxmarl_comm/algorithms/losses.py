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


def value_loss(value: Array, old_value: Array, target: Array, clip_eps: Array | None, huber_delta: float) -> Array:
    """The larger of the errors of the value, and of the value kept within clip_eps of the old one (None: its own).

    All in units of the normalised return: a clip of 0.2 would stop learning on raw returns.
    """
    chex.assert_equal_shape([value, old_value, target])
    own = error(value - target, huber_delta)
    if clip_eps is None:
        return own
    near_old = old_value + jnp.clip(value - old_value, -clip_eps, clip_eps)
    return jnp.maximum(own, error(near_old - target, huber_delta))


def error(difference: Array, huber_delta: float) -> Array:
    """Half the square, which beyond `huber_delta` goes on as a straight line (Huber 1964); 0: squares everywhere."""
    squared = 0.5 * difference**2
    if huber_delta == 0:
        return squared
    size = jnp.abs(difference)
    return jnp.where(size <= huber_delta, squared, huber_delta * (size - 0.5 * huber_delta))


def approx_kl(log_ratio: Array) -> Array:
    """`(ratio - 1) - log ratio`, whose mean estimates KL(old || new) without bias and is never negative."""
    return jnp.expm1(log_ratio) - log_ratio
