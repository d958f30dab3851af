"""What evolves: the members of all populations, and what is known of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.trees import map_axes

Array = jax.Array


class Population(NamedTuple):
    """S populations of P members each. members: the learners' states, `[S * P, ...]`, a population's side by side.

    fitness: `[S, P, window]`, a member's and its ancestors', the latest last; NaN where none was measured.
    best: `[S]`, the highest mean of a window so far. stale: `[S]`, generations since then. generation: `[]`.
    keys: `[S]`.
    """

    members: Any
    fitness: Array
    best: Array
    stale: Array
    generation: Array
    keys: Array


def taken(axes: Any, state: Any, where: Array) -> Any:
    """The members at these places of a state. axes: of the state over members; what all share stays as it is."""

    def pick(axis: int | None, part: Any) -> Any:
        return part if axis is None else jax.tree.map(lambda x: x[where], part)

    return map_axes(pick, axes, state)


def descended(algorithm: Algorithm, members: Any, parents: Array, broken: Array) -> Any:
    """Members `[M]` with what their parents have learned, each in its own world and with its own luck.

    parents: `[M]`, their places. broken: `[M]` bool, who diverged, so that its world cannot be trusted either: it goes
    on in its parent's.
    """
    own, axes = jnp.arange(len(parents)), algorithm.state_axes
    world, learned = taken(axes, members, jnp.where(broken, parents, own)), taken(axes, members, parents)
    return world._replace(key=members.key, **{name: getattr(learned, name) for name in algorithm.heritage})


def heritage(algorithm: Algorithm, members: Any) -> Any:
    """The members' states with nothing in them but what descendants have of their parents."""
    return members._replace(**{name: None for name in members._fields if name not in algorithm.heritage})


def score(fitness: Array) -> Array:
    """`[S, P]`: the mean of what was measured in the window; -inf of those of whom nothing, or nothing finite, is."""
    known = jnp.isfinite(fitness)
    mean = jnp.where(known, fitness, 0).sum(axis=-1) / jnp.maximum(known.sum(axis=-1), 1)
    return jnp.where(jnp.isfinite(fitness[..., -1]), mean, -jnp.inf)


def measured(population: Population, fitness: Array) -> Population:
    """The population now that this `[S, P]` was measured."""
    window = jnp.concatenate([population.fitness[..., 1:], fitness[..., None]], axis=-1)
    top = score(window).max(axis=-1)
    better = top > population.best
    return population._replace(
        fitness=window,
        best=jnp.where(better, top, population.best),
        stale=jnp.where(better, 0, population.stale + 1),
        generation=population.generation + 1,
    )
