"""A population of four as AgileRL's tutorial has it, there; and how soon one of ours is as good."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.benchmark.versus_agilerl import run_worker
from jaxmarl_comm.evolution.generations import Generations
from jaxmarl_comm.offpolicy_config import OffPolicyConfig

CONFIG = "evolve_as_agilerl.yaml"
EVO_STEPS = 10_000  # of each member between generations, there


class Reached(NamedTuple):
    """A level, and what it took. returns: mean over agents, of the best member's training episodes since the generation
    before. seconds: of training, until the end of that generation. steps: of each member."""

    returns: float
    seconds: float
    steps: int


class Race(NamedTuple):
    """theirs: the best of their generations. ours: the first chunk as good; None if none was.

    compile_seconds: what ours took before.
    """

    theirs: Reached
    ours: Reached | None
    compile_seconds: float

    @property
    def ratio(self) -> float | None:
        """Of their seconds to ours, once compiled."""
        return None if self.ours is None else self.theirs.seconds / self.ours.seconds

    @property
    def ratio_with_compiling(self) -> float | None:
        """The same, with what ours took to compile."""
        return None if self.ours is None else self.theirs.seconds / (self.ours.seconds + self.compile_seconds)


def race(tutorial: OffPolicyConfig, cfg: OffPolicyConfig, python: str, steps: int, threads: int) -> Race:
    """tutorial: with whose batch, replay ratio and environments AgileRL's members begin. steps: of each of these.

    Raises subprocess.CalledProcessError if theirs fails.
    """
    members = cfg.evolution.population_size
    found = run_worker(tutorial, python, steps, threads, members=members, evo_steps=EVO_STEPS)
    theirs = best_of(found["generations"], found["seconds"])
    ours, compile_seconds = first_as_good(cfg, theirs.returns)
    return Race(theirs, ours, compile_seconds)


def best_of(generations: list[list[float]], seconds: list[float]) -> Reached:
    """The best of generations, of which each tells what its members returned, summed over both agents."""
    best = [max(members) / 2 for members in generations]
    k = int(np.argmax(best))
    return Reached(best[k], seconds[k], (k + 1) * EVO_STEPS)


def first_as_good(cfg: OffPolicyConfig, level: float) -> tuple[Reached | None, float]:
    """(our first chunk in which a member returned that much, seconds that it took to compile)."""
    began, done = time.perf_counter(), 0
    algorithm = make_algorithm(cfg, env := cfg.make_env())
    generations = Generations(cfg, env, algorithm)
    state: Any = jax.block_until_ready(generations.start(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds)))
    chunks = generations.chunks(state)
    generations.compile(state)
    compile_seconds, began = time.perf_counter() - began, time.perf_counter()
    while generations.going(state, done):
        state, metrics, done = generations.advance(state, chunks, done)
        best = float(np.nanmax(metrics["return"]))
        if best >= level:
            return Reached(best, time.perf_counter() - began, done * cfg.num_envs * cfg.rollout_len), compile_seconds
    return None, compile_seconds
