"""Second stage: from the numbers that a sender has in mind to what can be sent. `[..., N, M]` -> `[..., N, M]`.

Every way is straight-through: forward the discrete value, exactly; backward the gradient of its smooth counterpart.
`draw` is the random number that training takes; None stands for execution, where nothing is drawn.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

Array = jax.Array


def straight_through(hard: Array, soft: Array) -> Array:
    """`hard`, with the gradient of `soft` (Bengio et al. 2013).

    Written so that not a rounding error of `soft` reaches the value: a receiver could learn to read it.
    """
    chex.assert_equal_shape([hard, soft])
    return jax.lax.stop_gradient(hard) + (soft - jax.lax.stop_gradient(soft))


def binary(content: Array) -> Array:
    """One bit per number: its sign, -1 or 1."""
    return straight_through(jnp.where(content > 0, 1.0, -1.0), jnp.tanh(content))


def quantise(content: Array, bits: Array) -> Array:
    """`bits` (a whole number, `[]`) per number: one of 2^bits levels, evenly spaced in [-1, 1]. 0 bits: always 0."""
    steps = jnp.exp2(bits) - 1
    soft = jnp.where(steps > 0, jnp.tanh(content), 0.0)
    return straight_through(to_value(to_index(soft, steps), steps), soft)


def to_index(value: Array, steps: Array) -> Array:
    """The nearest of the levels 0 .. steps to a value in [-1, 1]."""
    return jnp.round((value + 1) / 2 * steps)


def to_value(index: Array, steps: Array) -> Array:
    """The inverse of `to_index`; 0 if there is but one level."""
    return jnp.where(steps > 0, index / jnp.maximum(steps, 1) * 2 - 1, 0.0)


def gumbel(content: Array, temperature: Array, draw: Array | None) -> Array:
    """One of M words, one-hot, with these log-probabilities (up to a constant); the likeliest in execution.

    Straight-through Gumbel-softmax (Jang et al. 2017). draw: `[..., N, M]` from the Gumbel distribution.
    """
    chex.assert_equal_shape([content] if draw is None else [content, draw])
    scores = content if draw is None else content + draw
    word = jax.nn.one_hot(jnp.argmax(scores, axis=-1), content.shape[-1])
    return straight_through(word, jax.nn.softmax(scores / temperature, axis=-1))


def dru(content: Array, sigma: float, draw: Array | None) -> Array:
    """DIAL's discretise/regularise unit (Foerster et al. 2016): σ(m + noise) in training, 1 where m > 0 in execution.

    draw: `[..., N, M]`, standard normal.
    """
    if draw is None:
        return jnp.where(content > 0, 1.0, 0.0)
    chex.assert_equal_shape([content, draw])
    return jax.nn.sigmoid(content + sigma * draw)
