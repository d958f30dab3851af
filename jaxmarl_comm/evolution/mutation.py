"""What befalls descendants: one kind of mutation each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.algorithms.hyperparams import number
from jaxmarl_comm.evolution.architecture import Architecture, Change, leaves_of, like_leaves, mapped
from jaxmarl_comm.evolution_config import KINDS

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array
WHOLE = ("comm.bits", "comm.message_dim", "batch_size")  # hyperparameters that are whole numbers
MUTATED_SHARE = 0.1  # of a policy's weights


class Mutation:
    """Pure functions, closed over what is static: what may happen, and how often."""

    def __init__(self, cfg: Config, env: Env, algorithm: Algorithm) -> None:
        self.evolution, self.algorithm = cfg.evolution, algorithm
        self.ranges = cfg.evolution.ranges_of(cfg)
        self.weights = cfg.evolution.probabilities.possible
        self.architecture = Architecture(cfg, env) if cfg.net.grows else None

    def draw(self, key: Array, shape: tuple[int, ...]) -> Array:
        """Kinds, by number. The key is consumed."""
        weights = jnp.array([self.weights.get(kind, 0.0) for kind in KINDS])
        return jax.random.choice(key, len(KINDS), shape, p=weights / weights.sum())

    def mutate(self, key: Array, member: Any, kind: Array) -> Any:
        """A learner's state after a mutation of this kind `[]`. The key is consumed."""
        every: dict[str, Callable[[Array, Any], Any]] = {
            "rl_hp": self.hyperparameter,
            "parameters": self.parameters,
            "architecture": self._architecture,
            "activation": self.activation,
        }
        for name, change in every.items():
            if name in self.weights:
                changed, happens = change(key, member), kind == KINDS.index(name)
                member = jax.tree.map(lambda new, old, happens=happens: jnp.where(happens, new, old), changed, member)
        return member

    def at_random(self, key: Array, member: Any) -> Any:
        """A learner's state with hyperparameters at random in their ranges: their logarithms, uniformly."""
        return self.algorithm.vary(member, self._drawn(key))

    def _drawn(self, key: Array) -> dict[str, Array]:
        drawn = {}
        for k, (name, (low, high)) in enumerate(self.ranges.items()):
            share = jax.random.uniform(jax.random.fold_in(key, k))
            drawn[name] = _whole(name, low * (high / low) ** share)
        return drawn

    def hyperparameter(self, key: Array, member: Any) -> Any:
        """One of the ranges' hyperparameters, at random, grown or shrunk by a factor; it stays within its range.

        Now and then it is drawn anew instead, as where members begin at random (Jaderberg et al. 2017).
        """
        which_key, way_key, anew_key, drawn_key = jax.random.split(key, 4)
        which, grows = jax.random.randint(which_key, (), 0, len(self.ranges)), jax.random.bernoulli(way_key)
        anew, drawn = jax.random.bernoulli(anew_key, self.evolution.resample_prob), self._drawn(drawn_key)
        changed = {}
        for k, (name, (low, high)) in enumerate(self.ranges.items()):
            old = number(member.hparams, name)
            new = old * jnp.where(grows, self.evolution.grow_factor, self.evolution.shrink_factor)
            if name in WHOLE:
                new = jnp.where(grows, jnp.maximum(jnp.round(new), old + 1), jnp.minimum(jnp.round(new), old - 1))
            new = jnp.where(anew, drawn[name], jnp.clip(new, low, high))
            changed[name] = jnp.where(which == k, new, old)
        return self.algorithm.vary(member, changed)

    def parameters(self, key: Array, member: Any) -> Any:
        """Noise on a tenth of the policies' weights, each in relation to itself: so what is 0, as room is, stays so."""
        which_key, noise_key = jax.random.split(key)
        leaves = leaves_of(member.params.policy)
        which = like_leaves(jax.random.uniform, which_key, leaves)
        noise = like_leaves(jax.random.normal, noise_key, leaves)

        def noisy(names: tuple[str, ...], x: Array) -> Array:
            if names[-1] != "kernel":
                return x
            return x + self.evolution.mutation_sd * jnp.abs(x) * noise[names] * (which[names] < MUTATED_SHARE)

        return member._replace(params=member.params._replace(policy=mapped(noisy, member.params.policy)))

    def _architecture(self, key: Array, member: Any) -> Any:
        assert self.architecture is not None
        return self.architecture.mutate(key, member)

    def activation(self, key: Array, member: Any) -> Any:
        """Another activation after the layers of all groups' networks."""
        assert self.architecture is not None
        changes = {}
        for group, shape in self.architecture.shapes(member.params.policy).items():
            choices = len(shape.activation)
            step = jax.random.randint(key, (), 1, max(choices, 2))
            other = jnp.where(choices > 1, jnp.roll(shape.activation, step), shape.activation)
            changes[group] = Change(shape, shape._replace(activation=other))
        return self.architecture.applied(key, member, changes)

    def told(self, member: Any) -> dict[str, Array]:
        """What a member is like: its hyperparameters, and what its networks have come to, means over groups."""
        found = {f"member/{name}": number(member.hparams, name) for name in self.ranges}
        if self.architecture is None:
            return found
        shapes = list(self.architecture.shapes(member.params.policy).values())
        found["member/width"] = jnp.stack([shape.units.sum() for shape in shapes]).mean()
        found["member/layers"] = jnp.stack([shape.layers for shape in shapes]).mean()
        found["member/activation"] = jnp.argmax(shapes[0].activation).astype(float)
        return found


def _whole(name: str, value: Array) -> Array:
    return jnp.round(value) if name in WHOLE else value
