"""Discrete choices that a gradient passes through, for critics of actions: vectors in the place of one-hot ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxmarl_comm.comm.discretise import gumbel, straight_through

Array = jax.Array

GAP = 1.0


def relaxed(how: str, logits: Array, choice: Array, temperature: Array) -> Array:
    """`[..., K]`: what is chosen of K, `argmax(logits + choice)`, as a vector. choice: Gumbel draws, `[..., K]`.

    how: soft, a softmax of the two over the temperature (Jang et al. 2017, Maddison et al. 2017; as MADDPG has it: Lowe
    et al. 2017); straight_through, the one-hot vector with the gradient of that; gapped, the one-hot vector with the
    gradient of a softmax of logits that were moved just enough to agree with the choice (Fan et al. 2022).
    """
    match how:
        case "soft":
            return jax.nn.softmax((logits + choice) / temperature)
        case "straight_through":
            return gumbel(logits, temperature, choice)
    return gapped(logits, choice, temperature)


def gapped(logits: Array, choice: Array, temperature: Array) -> Array:
    """Gapped straight-through: the chosen logit is lifted to the largest, and others are kept GAP below it."""
    chosen = jax.nn.one_hot(jnp.argmax(logits + choice, axis=-1), logits.shape[-1])
    largest = logits.max(axis=-1, keepdims=True)
    lifted = (largest - (logits * chosen).sum(axis=-1, keepdims=True)) * chosen
    lowered = jax.nn.relu(logits + GAP - largest) * (1 - chosen)
    smooth = jax.nn.softmax((logits + jax.lax.stop_gradient(lifted - lowered)) / temperature)
    return straight_through(chosen, smooth)
