"""Fourth stage: what happens to messages under way. Noise and flips on `[..., N, M]`, loss on links `[..., N, N]`.

All randomness comes in as drawn numbers, so that the rollout can record what it met, and the update replay it. Delay is
in `mailbox.py`.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.comm.discretise import straight_through, to_index, to_value

Array = jax.Array


def add_noise(content: Array, sigma: Array, draw: Array) -> Array:
    """White Gaussian noise of standard deviation sigma; draw: standard normal, of the same shape."""
    chex.assert_equal_shape([content, draw])
    return content + sigma * draw


def flip_signs(content: Array, flip: Array) -> Array:
    """Of messages of -1 and 1: the bits `flip` (bool, same shape) arrive as their opposites."""
    _check(flip, content.shape)
    return jnp.where(flip, -content, content)


def flip_units(content: Array, flip: Array) -> Array:
    """The same for messages of 0 and 1, and of all between, as DIAL sends in training."""
    _check(flip, content.shape)
    return jnp.where(flip, 1 - content, content)


def flip_levels(content: Array, bits: Array, flip: Array) -> Array:
    """The same for quantised messages, each level's index written in binary. flip: `[..., M, B]`, B >= bits."""
    _check(flip, (*content.shape, flip.shape[-1]))
    steps = jnp.exp2(bits) - 1
    place = jnp.arange(flip.shape[-1])
    flipped = jnp.sum(jnp.where(flip & (place < bits), 2**place, 0), axis=-1)
    index = to_index(jax.lax.stop_gradient(content), steps).astype(jnp.int32)
    return straight_through(to_value((index ^ flipped).astype(float), steps), content)


def flip_words(content: Array, flip: Array, other: Array) -> Array:
    """Of one-hot words: where `flip` `[..., N]` another arrives, drawn by `other` `[..., N]`, uniform in [0, 1)."""
    _check(flip, content.shape[:-1])
    chex.assert_equal_shape([flip, other])
    size = content.shape[-1]
    shift = 1 + jnp.floor(other * (size - 1)).astype(jnp.int32)
    index = (jnp.argmax(content, axis=-1) + shift) % size
    wrong = straight_through(jax.nn.one_hot(index, size), content)
    return jnp.where(flip[..., None], wrong, content)


def lose(was_lost: Array, draw: Array, p: Array, burst: float) -> Array:
    """Which links `[..., N, N]` (bool) lose what is sent now, on average a share p of them.

    Losses come in bursts of `burst` steps on average, by the two-state chain of Gilbert (1960); in longer ones where
    more is lost than single steps between such bursts would leave. With `burst` 1 each is independent of the last.
    was_lost: the step before (at the start of an episode: drawn with the share p). draw: `[..., N, N]`, uniform in
    [0, 1).
    """
    if burst == 1:  # without a memory, so that was_lost has no rounds
        return draw < p
    chex.assert_equal_shape([was_lost, draw])
    end = jnp.minimum(1 / burst, (1 - p) / jnp.maximum(p, 1e-6))
    begin = p * end / jnp.maximum(1 - p, 1e-6)
    return jnp.where(was_lost, draw >= end, draw < begin)


def _check(flip: Array, shape: tuple[int, ...]) -> None:
    """What is flipped is a yes or no for each of these."""
    chex.assert_type(flip, bool)
    chex.assert_shape(flip, shape)
