"""What happens between chunks of learning, compiled: members are judged, and the fitter have descendants."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.chunks import chunk_lengths, compile_chunk, crosses
from jaxmarl_comm.compiling import jit_quickly
from jaxmarl_comm.evolution.evolver import Evolver
from jaxmarl_comm.evolution.fitness import fitness_key, measurer
from jaxmarl_comm.evolution.population import Population, score, taken
from jaxmarl_comm.runner import teams_of

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config
    from jaxmarl_comm.envs.base import Env

Array = jax.Array


class Chunk(NamedTuple):
    """Iterations of all members, compiled: see `compile_chunk`."""

    program: Any

    def __call__(self, state: Population) -> tuple[Population, dict[str, Array]]:
        """(state, metrics `[S * P]`); the members that are given are used up.

        Where several devices have learned, all comes back to the first, where members are compared and bred.
        """
        members, metrics = jax.device_put(self.program(state.members), jax.local_devices()[0])
        return state._replace(members=members), metrics

    def memory_analysis(self) -> Any:
        """That of the program."""
        return self.program.memory_analysis()


class Generations:
    """The programs of a config, compiled when they are first run, or before by `compile`."""

    def __init__(self, cfg: Config, env: Env, algorithm: Algorithm) -> None:
        self.cfg, self.algorithm = cfg, algorithm
        evolver = Evolver(cfg, env, algorithm)
        self.start: Any = jit_quickly(evolver.start)
        self.measure: Any = jax.jit(measurer(cfg, env, algorithm))
        self.judge: Any = jit_quickly(evolver.judge)
        self.breed: Any = jit_quickly(evolver.breed, donate_argnums=0)
        self.tell, self.over = jit_quickly(evolver.told), jit_quickly(evolver.over)

    def chunk(self, state: Population, length: int) -> Chunk:
        """So many iterations of all members, compiled."""
        return Chunk(compile_chunk(self.algorithm, state.members, length))

    def chunks(self, state: Population) -> dict[int, Chunk]:
        """Those of a whole run, by length."""
        return {n: self.chunk(state, n) for n in chunk_lengths(self.cfg.log_interval, self.cfg.num_iters)}

    def compile(self, state: Population) -> None:
        """Compile all else now, so that no generation waits for it."""
        alive = jax.ShapeDtypeStruct((self.cfg.num_runs,), bool)
        fitness = jax.ShapeDtypeStruct((self.cfg.num_runs,), float)
        teams = jax.eval_shape(partial(teams_of, self.algorithm), state.members)
        self.measure = self.measure.lower(fitness_key(self.cfg, state.generation), teams).compile()
        self.judge = self.judge.lower(state, fitness, alive).compile()
        self.breed = self.breed.lower(state, alive).compile()

    def going(self, state: Population, done: int) -> bool:
        """Whether there is more to do after so many iterations: not if all populations are good enough."""
        return done < self.cfg.num_iters and not self.over(state)

    def advance(
        self, state: Population, chunks: Mapping[int, Chunk], done: int
    ) -> tuple[Population, dict[str, Array], int]:
        """(populations, metrics, iterations done) after one more chunk. chunks: by length. The state is used up."""
        length = min(self.cfg.log_interval, self.cfg.num_iters - done)
        state, metrics = chunks[length](state)
        return *self.after(state, metrics, done, done + length), done + length

    def after(
        self, state: Population, metrics: dict[str, Array], before: int, done: int
    ) -> tuple[Population, dict[str, Array]]:
        """(the populations after a chunk that ended at iteration `done`, its metrics and what a generation adds)."""
        last, ready = done == self.cfg.num_iters, done >= self.cfg.breeds_from
        if not last and not (ready and crosses(self.cfg.evolution.evo_interval, before, done)):
            return state, metrics
        alive = metrics["first_bad"] < 0
        fitness = self.measure(fitness_key(self.cfg, state.generation), teams_of(self.algorithm, state.members))
        state = self.judge(state, fitness, alive)
        told = self.tell(state) | {"fitness": state.fitness[..., -1].reshape(-1)}  # none of who diverged
        if self.cfg.evolution.fitness_window > 1:
            mean = score(state.fitness).reshape(-1)
            told["fitness_mean"] = jnp.where(jnp.isfinite(mean), mean, jnp.nan)
        if not last and not self.over(state):
            state, bred = self.breed(state, alive)
            told |= bred
        return state, metrics | told

    def fittest(self, state: Population) -> np.ndarray:
        """`[S]`, the place of the fittest member of each population among all members."""
        size = self.cfg.evolution.population_size
        return np.asarray(jnp.argmax(score(state.fitness), axis=1)) + size * np.arange(self.cfg.num_seeds)

    def members(self, state: Population, places: np.ndarray) -> Any:
        """The learners' states at these places."""
        return taken(self.algorithm.state_axes, state.members, jnp.array(places))
