"""Random numbers as cheap as can be, for they are most of what many a reset costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Shape = tuple[int, ...]
STEPS = 2**16


def sixteen_bits(key: Array, shape: Shape) -> Array:
    """uint32 below STEPS, two of them from each random word, to which the last axis is cut. The key is consumed."""
    *others, last = shape
    words = jax.random.bits(key, (*others, -(-last // 2)), jnp.uint32)
    return jnp.concatenate([words & (STEPS - 1), words >> 16], axis=-1)[..., :last]


def chances(key: Array, shapes: Sequence[Shape]) -> list[Array]:
    """Arrays of these shapes, uniform in 0 to 1, in STEPS steps, both ends excluded. The key is consumed.

    All are drawn at once, which is cheaper than one by one; and dear enough that XLA had better not repeat it for each
    use.
    """
    sizes = [math.prod(shape) for shape in shapes]
    drawn = (sixteen_bits(key, (sum(sizes),)).astype(float) + 0.5) / STEPS
    parts = jnp.split(jax.lax.optimization_barrier(drawn), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
