"""Mutations of what networks are made of, within the room that they have: see `nets/growth.py`.

A group's policy and its critic change together. More units and more layers change nothing that is computed, until
something is learned by them; fewer do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.nets.growth import FEWEST_LAYERS, SHAPE, Shape, layer_number
from jaxmarl_comm.nets.layers import SQRT2
from jaxmarl_comm.nets.params import owner

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array
Names = tuple[str, ...]
FEWEST_UNITS = 4
MORE = (0.25, 0.5, 1.0)  # of the units that there are
FEWER = (0.25, 0.5)


class Change(NamedTuple):
    """Of one group's networks. before, after: their shapes."""

    before: Shape
    after: Shape


class Architecture:
    """Pure functions, closed over where units are in the parameters.

    A leaf is known by its names in the tree; axes with units are counted from the end, and units come first on them.
    """

    def __init__(self, cfg: Config, env: Env) -> None:
        self.env, self.groups, self.new_layer_prob = env, tuple(env.groups), cfg.evolution.new_layer_prob
        self.widest = {group: max(net.hidden) for group, net in cfg.nets(env.groups).items()}
        self.deepest = {group: len(net.hidden) for group, net in cfg.nets(env.groups).items()}
        self.axes = axes_with_units(cfg, env)

    def shapes(self, policy: Any) -> dict[str, Shape]:
        """Group -> what its networks have come to."""
        return {group: Shape(**policy["params"][group + SHAPE]) for group in self.groups}

    def mutate(self, key: Array, member: Any) -> Any:
        """The state of a learner with one group's networks of another size. The key is consumed."""
        which_key, change_key, fill_key = jax.random.split(key, 3)
        which = jax.random.randint(which_key, (), 0, len(self.groups))
        before = self.shapes(member.params.policy)
        changes = {}
        for k, (group, shape) in enumerate(before.items()):
            strength = self._strength(member.params.policy, group)
            changed = self._resized(change_key, group, shape, strength)
            after = jax.tree.map(lambda new, old, k=k: jnp.where(which == k, new, old), changed, shape)
            changes[group] = Change(shape, after)
        return self.applied(fill_key, member, changes)

    def applied(self, key: Array, member: Any, changes: dict[str, Change]) -> Any:
        """The state with these changes made in its parameters, its targets and its optimisers. The key is consumed."""
        drawn = like_leaves(jax.random.normal, key, leaves_of(member.params))

        def remade(names: Names, x: Array) -> Array:
            return self._remade(names, x, drawn[names], changes)

        def trimmed(names: Names, x: Array) -> Array:
            group = self._group_of(names)
            return x if group is None or _is_shape(names) else x * self._there(names, x, changes[group].after)

        parts = {name: mapped(remade, getattr(member, name)) for name in ("params", "targets") if hasattr(member, name)}
        return member._replace(**parts, opt_state=mapped(trimmed, member.opt_state))

    def _resized(self, key: Array, group: str, shape: Shape, strength: Array) -> Shape:
        """Another number of units, or of layers. The key is consumed."""
        kind_key, units_key, layers_key = jax.random.split(key, 3)
        units = shape._replace(units=self._other_units(units_key, group, shape.units, strength))
        if self.deepest[group] == FEWEST_LAYERS:
            return units
        layers = shape._replace(layers=self._other_layers(layers_key, group, shape.layers))
        if self.widest[group] == FEWEST_UNITS:
            return layers
        of_layers = jax.random.uniform(kind_key) < self.new_layer_prob
        return jax.tree.map(lambda a, b: jnp.where(of_layers, a, b), layers, units)

    def _other_units(self, key: Array, group: str, units: Array, strength: Array) -> Array:
        """`[W]`: more or fewer by a share of those that there are; the weakest go, and only in what room there is."""
        way_key, more_key, fewer_key = jax.random.split(key, 3)
        count = units.sum()
        more = jnp.round(count * jax.random.choice(more_key, jnp.array(MORE)))
        fewer = jnp.round(count * jax.random.choice(fewer_key, jnp.array(FEWER)))
        full, least = count >= self.widest[group], count <= FEWEST_UNITS
        grow = (jax.random.bernoulli(way_key) | least) & ~full
        wanted = jnp.where(grow, count + jnp.maximum(more, 1), count - jnp.maximum(fewer, 1))
        wanted = jnp.clip(wanted, jnp.minimum(FEWEST_UNITS, count), self.widest[group])
        rank = jnp.argsort(jnp.argsort(jnp.where(units > 0, -1 - strength, jnp.arange(len(units)))))
        return (rank < wanted).astype(units.dtype)

    def _other_layers(self, key: Array, group: str, layers: Array) -> Array:
        """`[]`: one more, or one less."""
        full, least = layers >= self.deepest[group], layers <= FEWEST_LAYERS
        grow = (jax.random.bernoulli(key) | least) & ~full
        return jnp.clip(layers + jnp.where(grow, 1, -1), FEWEST_LAYERS, self.deepest[group])

    def _strength(self, policy: Any, group: str) -> Array:
        """`[W]`, 0 or more: the squared weights by which each unit is heard."""
        total = jnp.zeros(self.widest[group])
        for names, x in leaves_of(policy):
            if self._group_of(("policy", *names)) == group and -2 in self.axes[("policy", *names)]:
                rows = jnp.square(x).sum(axis=tuple(k for k in range(x.ndim) if k != x.ndim - 2))
                total += rows[: self.widest[group]]
        return total

    def _group_of(self, names: Names) -> str | None:
        """Whose parameter a leaf is; None of what is no parameter, as the count of an optimiser's steps."""
        return owner(self.env, names[2]) if len(names) > 2 else None

    def _there(self, names: Names, x: Array, shape: Shape) -> Array:
        """1 for each weight of a leaf that there is in networks of this shape, else 0; of a shape for `x`."""
        number = layer_number(names[2], self._group_of(names) or "")
        there = jnp.ones(x.shape) * ((number == 0) | (number < shape.layers))
        for axis in self.axes[names]:
            there *= _along(axis, x, shape.units, 1.0)
        return there

    def _remade(self, names: Names, x: Array, drawn: Array, changes: dict[str, Change]) -> Array:
        """A leaf of the parameters after the changes. drawn: normal numbers, for what is new in it."""
        group = self._group_of(names)
        assert group is not None
        before, after = changes[group]
        if _is_shape(names):
            return jnp.broadcast_to(getattr(after, names[3]), x.shape)
        if names[-1] == "kernel" and self.axes[names]:
            x = self._with_new_layer(names, x, before, after)
            x = self._with_new_units(names, x, drawn, before, after)
        return x * self._there(names, x, after)

    def _with_new_layer(self, names: Names, x: Array, before: Shape, after: Shape) -> Array:
        """The identity, if this is the kernel of a layer that there was not before."""
        number = layer_number(names[2], self._group_of(names) or "")
        if number == 0:
            return x
        new = (before.layers <= number) & (number < after.layers)
        return jnp.where(new, jnp.broadcast_to(jnp.diag(after.units), x.shape), x)

    def _with_new_units(self, names: Names, x: Array, drawn: Array, before: Shape, after: Shape) -> Array:
        """With random weights for what new units hear, of the size that all begin with; nobody hears them yet."""
        if -1 not in self.axes[names]:
            return x
        new = _along(-1, x, after.units * (1 - before.units), 0.0)
        heard = _along(-2, x, before.units, 1.0) if -2 in self.axes[names] else jnp.ones((x.shape[-2], 1))
        return jnp.where(new > 0, drawn * heard * SQRT2 / jnp.sqrt(heard.sum()), x)


def axes_with_units(cfg: Config, env: Env) -> dict[Names, tuple[int, ...]]:
    """The names of each leaf of a learner's parameters -> its axes with units: those that `max_width` makes longer."""

    def shapes(cfg: Config) -> Any:
        return jax.eval_shape(make_algorithm(cfg, env).init, jax.random.key(0)).params

    widest = max(max(net.hidden) for net in cfg.nets(env.groups).values())
    roomy = cfg.net.model_copy(update={"max_width": widest})
    here, wider = (
        leaves_of(shapes(cfg.model_copy(update={"net": net})))
        for net in (roomy, roomy.model_copy(update={"max_width": widest + 1}))
    )
    return {
        names: tuple(k - x.ndim for k in range(x.ndim) if x.shape[k] != y.shape[k])
        for (names, x), (_, y) in zip(here, wider, strict=True)
    }


def leaves_of(tree: Any) -> list[tuple[Names, Any]]:
    """(names, leaf) of every leaf of parameters."""
    return [(_names(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]]


def like_leaves(draw: Callable[..., Array], key: Array, leaves: list[tuple[Names, Any]]) -> dict[Names, Array]:
    """Random numbers for each leaf, all drawn at once: a draw for each takes ten times as long to compile."""
    ends = np.cumsum([leaf.size for _, leaf in leaves])
    parts = jnp.split(draw(key, (ends[-1],)), ends[:-1])
    return {names: part.reshape(leaf.shape) for (names, leaf), part in zip(leaves, parts, strict=True)}


def mapped(change: Callable[[Names, Array], Array], tree: Any) -> Any:
    """A tree of parameters, or of an optimiser's means of them, with each leaf changed; it is known by its names."""
    return jax.tree_util.tree_map_with_path(lambda path, x: change(_names(path), x), tree)


def _names(path: Any) -> Names:
    """Whose part (policy or critic), `params`, module, and what it is there; an optimiser's own words are left out."""
    names = [key.key if hasattr(key, "key") else getattr(key, "name", "") for key in path]
    return tuple(name for name in names if name not in ("", "mu", "nu"))


def _is_shape(names: Names) -> bool:
    return names[2].endswith(SHAPE)


def _along(axis: int, x: Array, units: Array, rest: float) -> Array:
    """`[.., S, ..]`, to be multiplied with `x`: the units, and the same number for what follows them on this axis."""
    size = x.shape[axis]
    values = jnp.full(size, rest).at[: len(units)].set(units)
    return values.reshape(size, *(1,) * (-axis - 1))
