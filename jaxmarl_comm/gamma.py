"""The gamma function's logarithm and digamma above 1, and draws, in plain arithmetic.

jax's are right for all numbers, but on a CPU its draws go one by one, and the derivative of its digamma is a long
series: together they took most of the time of training with continuous actions.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array

SHIFT = 6  # the series below are exact in float32 from 7 on, where the recurrence brings what is above 1


def log_gamma(x: Array) -> Array:
    """ln Γ(x) for x > 1: Stirling's series (Abramowitz and Stegun 1964, 6.1.41) at x + SHIFT, and the recurrence."""
    z = x + SHIFT
    rising = x
    for k in range(1, SHIFT):
        rising = rising * (x + k)
    series = 1 / (12 * z) - 1 / (360 * z**3)
    return (z - 0.5) * jnp.log(z) - z + 0.5 * jnp.log(2 * jnp.pi) + series - jnp.log(rising)


def digamma(x: Array) -> Array:
    """The derivative of ln Γ(x) for x > 1 (Abramowitz and Stegun 1964, 6.3.18)."""
    z = x + SHIFT
    series = jnp.log(z) - 1 / (2 * z) - 1 / (12 * z**2) + 1 / (120 * z**4)
    return series - sum(1 / (x + k) for k in range(SHIFT))


def draw_gamma(key: Array, shape: Array) -> Array:
    """Draws of the gamma distribution with these shapes, above 1, and scale 1 (Marsaglia and Tsang 2000).

    All are drawn at once, again and again until the last is accepted; of NaN comes NaN. The key is consumed.
    """
    d = shape - 1 / 3

    def attempt(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        key, drawn, missing = state
        key, normal_key, uniform_key = jax.random.split(key, 3)
        x, u = jax.random.normal(normal_key, d.shape), jax.random.uniform(uniform_key, d.shape)
        v = (1 + x / jnp.sqrt(9 * d)) ** 3
        accepted = (v > 0) & (jnp.log(u) < 0.5 * x**2 + d * (1 - v + jnp.log(jnp.maximum(v, 1e-30))))
        return key, jnp.where(missing & accepted, d * v, drawn), missing & ~accepted

    start = key, jnp.full_like(d, jnp.nan), ~jnp.isnan(d)
    return jax.lax.while_loop(lambda state: state[2].any(), attempt, start)[1]
