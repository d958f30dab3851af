"""What jax's own `tree` functions leave out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def where_each(flags: Array, new: Any, old: Any) -> Any:
    """Of two pytrees of `[E, ...]` arrays, the first one's rows where `flags` `[E]` are true, else the second one's."""
    chex.assert_rank(flags, 1)
    chex.assert_tree_shape_prefix(old, flags.shape)
    chex.assert_trees_all_equal_shapes(new, old)
    return jax.tree.map(lambda a, b: jnp.where(flags.reshape(-1, *(1,) * (b.ndim - 1)), a, b), new, old)


def unstack(tree: Any) -> list[Any]:
    """The trees along the leading axis of every array."""
    return [jax.tree.map(lambda x, k=k: x[k], tree) for k in range(len(jax.tree.leaves(tree)[0]))]


def is_finite(tree: Any) -> bool:
    """Whether all numbers are."""
    return all(np.isfinite(x).all() for x in jax.tree.leaves(tree))


def environments_first(tree: Any) -> Any:
    """Arrays `[T, E, ...]` -> `[E, T, ...]`."""
    return jax.tree.map(lambda x: x.swapaxes(0, 1), tree)


steps_first = environments_first
"""Arrays `[E, T, ...]` -> `[T, E, ...]`."""


def map_axes(function: Callable[..., Any], axes: Any, *trees: Any) -> Any:
    """`function(axis, part, ...)` over trees and their `vmap` axes, of which None is one like any other."""
    return jax.tree.map(function, axes, *trees, is_leaf=lambda axis: axis is None)


def as_batch_of_one(axes: Any, tree: Any) -> Any:
    """With a leading axis on every array that has one in a batch."""
    return map_axes(lambda axis, x: x if axis is None else x[None], axes, tree)


def out_of_batch_of_one(axes: Any, tree: Any) -> Any:
    """The inverse of `as_batch_of_one`."""
    return map_axes(lambda axis, x: x if axis is None else x[0], axes, tree)
