"""Who has descendants. A selection says of each member of a population whose descendant takes its place."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.evolution_config import EvolutionConfig

Array = jax.Array


class Selected(NamedTuple):
    """parents: `[P]`, whose descendant a member is; its own number if it stays. mutable: `[P]` bool, who may mutate."""

    parents: Array
    mutable: Array


def select(evolution: EvolutionConfig, key: Array, score: Array, generation: Array) -> Selected:
    """Of a population of P. score: `[P]`, -inf of who cannot be a parent. generation: `[]`, from 1. Key consumed."""
    match evolution.selection:
        case "tournament":
            return tournament(evolution, key, score)
        case "truncation":
            return truncation(key, score)
        case "multi_frequency":
            return multi_frequency(evolution, key, score, generation)
    everyone = jnp.arange(len(score))
    return Selected(everyone, jnp.zeros(len(score), bool))


def tournament(evolution: EvolutionConfig, key: Array, score: Array) -> Selected:
    """The fittest of `tournament_size` drawn with replacement, for each place; the fittest of all keeps its own."""
    size = len(score)
    drawn = jax.random.randint(key, (size, evolution.tournament_size), 0, size)
    parents = jnp.take_along_axis(drawn, jnp.argmax(score[drawn], axis=1)[:, None], axis=1)[:, 0]
    everyone, elite = jnp.arange(size), jnp.argmax(score)
    parents = jnp.where(jnp.isfinite(score[parents]), parents, elite)
    if not evolution.elitism:
        return Selected(parents, jnp.ones(size, bool))
    is_elite = everyone == elite
    return Selected(jnp.where(is_elite, elite, parents), ~is_elite | evolution.mutate_elite)


def truncation(key: Array, score: Array) -> Selected:
    """A member of the best quarter, at random, in the place of each of the worst (Jaderberg et al. 2017)."""
    size, quarter = len(score), len(score) // 4
    order = jnp.argsort(-score)
    parents = order[jax.random.randint(key, (quarter,), 0, quarter)]
    parents = jnp.where(jnp.isfinite(score[parents]), parents, order[0])
    lost = order[size - quarter :]
    return Selected(
        jnp.arange(size).at[lost].set(parents),
        jnp.zeros(size, bool).at[lost].set(True),
    )


def multi_frequency(evolution: EvolutionConfig, key: Array, score: Array, generation: Array) -> Selected:
    """Truncation within subpopulations, each at every so many generations, so that some think of the longer run.

    Where it is a subpopulation's turn, the best of all quicker ones, if it is fitter, takes the place of the best of
    its third quarter, as it is: so what is found in haste reaches those who wait, and nothing the other way. After an
    idea of multi-frequency population-based training; brackets and migration are simpler here.
    """
    parts = len(evolution.frequencies)
    size = len(score) // parts
    parents, mutable = [], []
    for k, (part_key, frequency) in enumerate(zip(jax.random.split(key, parts), evolution.frequencies, strict=True)):
        own = score[k * size : (k + 1) * size]
        within, due = truncation(part_key, own), generation % frequency == 0
        ours = k * size + within.parents
        quicker = [j for j, other in enumerate(evolution.frequencies) if other < frequency]
        if quicker:
            theirs = jnp.concatenate([jnp.arange(j * size, (j + 1) * size) for j in quicker])
            migrant, place = theirs[jnp.argmax(score[theirs])], jnp.argsort(-own)[size // 2]
            ours = ours.at[place].set(jnp.where(score[migrant] > own[place], migrant, ours[place]))
        parents.append(jnp.where(due, ours, k * size + jnp.arange(size)))
        mutable.append(within.mutable & due)
    return Selected(jnp.concatenate(parents), jnp.concatenate(mutable))
