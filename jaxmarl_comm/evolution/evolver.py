"""From one generation to the next, as pure functions of the population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.evolution.mutation import Mutation
from jaxmarl_comm.evolution.population import Population, descended, heritage, measured, score
from jaxmarl_comm.evolution.selection import select
from jaxmarl_comm.evolution_config import KINDS

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array


class Evolver:
    """Pure functions, closed over what is static."""

    def __init__(self, cfg: Config, env: Env, algorithm: Algorithm) -> None:
        self.evolution, self.algorithm = cfg.evolution, algorithm
        self.shape = (cfg.num_seeds, cfg.evolution.population_size)
        self.mutation = Mutation(cfg, env, algorithm)

    def start(self, keys: Array) -> Population:
        """Of these keys `[S]`. The first member of each population begins as the run of that key alone would."""
        seeds, size = self.shape
        others = jax.vmap(lambda key: jax.random.split(jax.random.fold_in(key, 1), size))(keys)
        of_members = others.at[:, 0].set(keys).reshape(-1)
        members = jax.vmap(self.algorithm.init, out_axes=self.algorithm.state_axes)(of_members)
        if self.evolution.random_start:
            draws = jax.vmap(lambda key: jax.random.fold_in(key, 2))(of_members)
            members = self._changed(
                members, jax.vmap(self.mutation.at_random)(draws, heritage(self.algorithm, members))
            )
        return Population(
            members=members,
            fitness=jnp.full((*self.shape, self.evolution.fitness_window), jnp.nan),
            best=jnp.full(seeds, -jnp.inf),
            stale=jnp.zeros(seeds, jnp.int32),
            generation=jnp.zeros((), jnp.int32),
            keys=jax.vmap(lambda key: jax.random.fold_in(key, 3))(keys),
        )

    def judge(self, population: Population, fitness: Array, alive: Array) -> Population:
        """The population once this fitness `[S * P]` was measured; alive: `[S * P]` bool, who has not diverged."""
        known = jnp.where(alive & jnp.isfinite(fitness), fitness, jnp.nan)
        return measured(population, known.reshape(self.shape))

    def breed(self, population: Population, alive: Array) -> tuple[Population, dict[str, Array]]:
        """(the next generation, what to tell of it: `parent` and `mutation` `[S * P]`)."""
        keys = jax.vmap(lambda key: jax.random.split(key, 4))(population.keys)
        scores = score(population.fitness)

        def of_population(key: Array, scores: Array) -> Any:
            return select(self.evolution, key, scores, population.generation)

        selected = jax.vmap(of_population)(keys[:, 1], scores)
        kinds = jax.vmap(lambda key: self.mutation.draw(key, self.shape[1:]))(keys[:, 2])
        kinds = jnp.where(selected.mutable, kinds, KINDS.index("none"))
        seeds, size = self.shape
        parents = (selected.parents + size * jnp.arange(seeds)[:, None]).reshape(-1)
        members = descended(self.algorithm, population.members, parents, ~alive & (parents != jnp.arange(len(parents))))
        of_members = jax.vmap(lambda key: jax.random.split(key, size))(keys[:, 3]).reshape(-1)
        mutated = jax.vmap(self.mutation.mutate)(of_members, heritage(self.algorithm, members), kinds.reshape(-1))
        after = population._replace(
            members=self._changed(members, mutated),
            fitness=jnp.take_along_axis(population.fitness, selected.parents[..., None], axis=1),
            keys=keys[:, 0],
        )
        return after, {"parent": selected.parents.reshape(-1), "mutation": kinds.reshape(-1)}

    def told(self, population: Population) -> dict[str, Array]:
        """`[S * P]` each: see Mutation."""
        return jax.vmap(self.mutation.told)(heritage(self.algorithm, population.members))

    def over(self, population: Population) -> Array:
        """`[]` bool: whether every population has reached the target, or its patience is at its end."""
        reached = jnp.zeros(self.shape[0], bool)
        if self.evolution.target is not None:
            reached |= population.best >= self.evolution.target
        if self.evolution.patience is not None:
            reached |= population.stale >= self.evolution.patience
        return reached.all()

    def _changed(self, members: Any, changed: Any) -> Any:
        return members._replace(**{name: getattr(changed, name) for name in self.algorithm.heritage})
