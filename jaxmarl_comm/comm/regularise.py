"""Losses that make agents talk, listen, or be brief. Each is a mean, to be minimised."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def signalling_loss(logits: Array, target_entropy: float) -> Array:
    """`[]` from `[E, T, ..., W]` logits of W words: say different things in different situations, with little chance.

    `(H(word | situation) - target)² - H(word)`, the word's marginal being taken over E and T (Eccles et al. 2019, eq.
    4, with their λ = 1).
    """
    log_probs = jax.nn.log_softmax(logits)
    given = -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)
    marginal = jnp.exp(log_probs).mean(axis=(0, 1))
    overall = -jnp.sum(marginal * jnp.log(marginal + 1e-12), axis=-1)
    return jnp.mean((given - target_entropy) ** 2) - overall.mean()


def listening_loss(heard: Array, muted: Array) -> Array:
    """`[]` from action probabilities `[..., A]` given the messages and given none: act differently for having heard.

    The L1 distance, negated, which trains the listener; and the cross-entropy by which the muted policy learns to be
    what the heard one is on average (Eccles et al. 2019, eq. 6 and 7).
    """
    chex.assert_equal_shape([heard, muted])
    distance = jnp.sum(jnp.abs(heard - jax.lax.stop_gradient(muted)), axis=-1)
    imitation = -jnp.sum(jax.lax.stop_gradient(heard) * jnp.log(muted + 1e-12), axis=-1)
    return jnp.mean(imitation - distance)


def price(sent: Array, bits_per_message: Array | float, message_price: float, bit_price: float) -> Array:
    """`[]` from `[..., R, N]`, 1 for a message sent: what an agent pays per step; the gates bear its gradient."""
    return sent.sum(axis=-2).mean() * (message_price + bit_price * bits_per_message)
