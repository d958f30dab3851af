"""Distributions over an agent's actions. The only file that knows distrax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import distrax
import jax
import jax.numpy as jnp

from jaxmarl_comm.gamma import digamma, draw_gamma, log_gamma

Array = jax.Array
Kind = Literal["categorical", "beta", "point"]

EDGE = 1e-6  # of [0, 1], which drawn actions keep away from: the density may vanish there, and float32 rounds to 1
EXCESS = (1e-6, 1e3)
"""What Beta's parameters exceed 1 by: enough for float32 to tell, so that there is one mode; and not so much that the
rounding of its logarithms would show in probability ratios."""


class InnerBeta(distrax.Beta):
    """A Beta distribution, its parameters above 1, that is quick to draw from and to differentiate.

    Its draws keep EDGE away from 0 and 1, so that all that is computed of them is finite.
    """

    def _sample_n(self, key: Array, n: int) -> Array:
        a_key, b_key = jax.random.split(key)
        shape = (n, *self.batch_shape)
        a, b = (draw_gamma(k, jnp.broadcast_to(x, shape)) for k, x in ((a_key, self.alpha), (b_key, self.beta)))
        return jnp.clip(a / (a + b), EDGE, 1 - EDGE)

    def log_prob(self, value: Array) -> Array:
        """`[...]` of values inside (0, 1)."""
        a, b = self.alpha, self.beta
        return (a - 1) * jnp.log(value) + (b - 1) * jnp.log1p(-value) - self._log_norm()

    def entropy(self) -> Array:
        """`[...]` nats."""
        a, b = self.alpha, self.beta
        return self._log_norm() - (a - 1) * digamma(a) - (b - 1) * digamma(b) + (a + b - 2) * digamma(a + b)

    def _log_norm(self) -> Array:
        return log_gamma(self.alpha) + log_gamma(self.beta) - log_gamma(self.alpha + self.beta)


class Choice(distrax.Categorical):
    """A categorical distribution over K values, that is quick to draw from and to differentiate.

    distrax draws K random numbers for each value and normalises twice, for which rollouts would wait.
    """

    @property
    def probs(self) -> Array:
        """`[..., K]`."""
        return jnp.exp(self.logits)

    def _sample_n(self, key: Array, n: int) -> Array:
        """Where the sum of probabilities passes a uniform share of all of it, which rounding keeps from 1."""
        sums = jnp.cumsum(self.probs, axis=-1)
        drawn = jax.random.uniform(key, (n, *self.logits.shape[:-1], 1)) * sums[..., -1:]
        return (drawn >= sums[..., :-1]).sum(axis=-1, dtype=self._dtype)

    def log_prob(self, value: Array) -> Array:
        """`[...]` of values from 0 to K - 1."""
        is_it = value[..., None] == jnp.arange(self.num_categories)
        return jnp.where(is_it, self.logits, 0).sum(axis=-1)

    def entropy(self) -> Array:
        """`[...]` nats."""
        return -(self.probs * self.logits).sum(axis=-1)


class Point(NamedTuple):
    """What a policy without chance does: `[..., size]` numbers from 0 to 1."""

    at: Array

    def sample(self, seed: Array) -> Array:
        """`[..., size]`, always the same."""
        return self.at

    def mode(self) -> Array:
        """`[..., size]`."""
        return self.at


class ActionDistribution(NamedTuple):
    """Independent distributions of the factors of an action (move, say), each with batch shape `[...]`.

    An agent without any free factor (a speaker that may not speak) has the empty one: log-probability and entropy 0.
    """

    factors: dict[str, Any]
    batch_shape: tuple[int, ...]

    @property
    def is_certain(self) -> bool:
        """Whether all factors are points."""
        return bool(self.factors) and all(isinstance(factor, Point) for factor in self.factors.values())

    def sample(self, key: Array) -> dict[str, Array]:
        """Factor name -> action. The key is consumed."""
        keys = jax.random.split(key, max(len(self.factors), 1))
        return {
            name: factor.sample(seed=factor_key)
            for (name, factor), factor_key in zip(self.factors.items(), keys, strict=False)
        }

    def mode(self) -> dict[str, Array]:
        """Factor name -> the most probable action."""
        return {name: factor.mode() for name, factor in self.factors.items()}

    def log_prob(self, actions: dict[str, Array]) -> Array:
        """`[...]`, summed over factors."""
        zero = jnp.zeros(self.batch_shape)
        return sum((factor.log_prob(actions[name]) for name, factor in self.factors.items()), zero)

    def entropy(self) -> Array:
        """`[...]` nats, summed over factors."""
        zero = jnp.zeros(self.batch_shape)
        return sum((factor.entropy() for factor in self.factors.values()), zero)

    def probs(self) -> dict[str, Array]:
        """Factor name -> `[..., size]`, the probability of each action, where all are discrete."""
        return {name: factor.probs for name, factor in self.factors.items()}

    def joint_probs(self, names: Iterable[str] | None = None) -> Array:
        """`[..., A]`, the probability of each combination of these factors' actions, all discrete; 1 of no factors.

        names: of the factors, all if None.
        """
        joint, probs = jnp.ones((*self.batch_shape, 1)), self.probs()
        for name in probs if names is None else names:
            joint = (joint[..., None] * probs[name][..., None, :]).reshape(*self.batch_shape, -1)
        return joint


def num_outputs(factors: dict[str, int], kind: Kind) -> int:
    """How many numbers a network must give for an action with these factors (name -> size)."""
    return sum(factors.values()) * (2 if kind == "beta" else 1)


def action_distribution(outputs: Array, factors: dict[str, int], kind: Kind) -> ActionDistribution:
    """Distribution from network outputs `[..., num_outputs(factors, kind)]`.

    Discrete factors are categorical. Continuous ones are Beta on [0, 1] with both parameters above 1, so that there is
    a single mode (Chou et al. 2017, "Improving stochastic policy gradients ... using the Beta distribution"); or points
    of [0, 1], of policies that a critic's gradient moves.
    """
    built, offset = {}, 0
    for name, size in factors.items():
        width = num_outputs({name: size}, kind)
        built[name] = _factor(outputs[..., offset : offset + width], kind)
        offset += width
    return ActionDistribution(built, outputs.shape[:-1])


def _factor(outputs: Array, kind: Kind) -> Any:
    match kind:
        case "categorical":
            return Choice(logits=outputs)
        case "point":
            return Point(jax.nn.sigmoid(outputs))
    alpha, beta = jnp.split(1.0 + jnp.clip(jax.nn.softplus(outputs), *EXCESS), 2, axis=-1)
    return distrax.Independent(InnerBeta(alpha, beta), reinterpreted_batch_ndims=1)
