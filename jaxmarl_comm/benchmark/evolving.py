"""A population of four as AgileRL's tutorial has it, there; and how soon one of ours is as good."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.benchmark.versus_agilerl import run_worker
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.baselines import play_scripted
from jaxmarl_comm.evaluation.sides import scripted_actor, versus
from jaxmarl_comm.evolution.generations import Generations
from jaxmarl_comm.offpolicy_config import OffPolicyConfig
from jaxmarl_comm.scripted import make_side

CONFIG = "evolve_as_agilerl.yaml"
EVO_STEPS = 10_000  # of each member between generations, there
EPISODES_STILL = 10_000


class Reached(NamedTuple):
    """How good a population was, and when. returns: mean over agents, of the best member's training episodes since the
    generation before. seconds: of training, until the end of that generation. steps: of each member."""

    returns: float
    seconds: float
    steps: int


class Race(NamedTuple):
    """theirs: all of their generations. ours: our chunks, up to the first that is as good as `level`.

    compile_seconds: what ours took before. still: the return of a team that stands still, as a control.
    """

    level: float
    theirs: list[Reached]
    ours: list[Reached]
    compile_seconds: float
    still: float

    @property
    def they_were(self) -> Reached | None:
        """Their first generation that was as good as the level, if any."""
        return first_as_good(self.theirs, self.level)

    @property
    def we_were(self) -> Reached | None:
        """The same of ours."""
        return first_as_good(self.ours, self.level)

    def ratio(self, compiling: bool = False) -> float | None:
        """Of their seconds to ours, compiled, or from before that; at least, if they never were as good."""
        if self.we_were is None:
            return None
        seconds = (self.they_were or self.theirs[-1]).seconds
        return seconds / (self.we_were.seconds + compiling * self.compile_seconds)


def race(
    tutorial: OffPolicyConfig, cfg: OffPolicyConfig, python: str, steps: int, threads: int, level: float | None
) -> Race:
    """tutorial: with whose batch, replay ratio and environments AgileRL's members begin. steps: of each of these.

    level: a return; None: the best that theirs comes to. Raises subprocess.CalledProcessError if theirs fails.
    """
    members = cfg.evolution.population_size
    found = run_worker(tutorial, python, steps, threads, members=members, evo_steps=EVO_STEPS)
    theirs = generations_of(found["generations"], found["seconds"])
    if level is None:
        level = max(reached.returns for reached in theirs)
    ours, compile_seconds = train_until(cfg, level)
    return Race(level, theirs, ours, compile_seconds, standing_still(cfg.make_env(), cfg.seed))


def generations_of(generations: list[list[float]], seconds: list[float]) -> list[Reached]:
    """generations: of each, what its members returned, summed over both agents."""
    return [
        Reached(max(members) / 2, when, k * EVO_STEPS)
        for k, (members, when) in enumerate(zip(generations, seconds, strict=True), start=1)
    ]


def first_as_good(history: list[Reached], level: float) -> Reached | None:
    """The first that returned so much."""
    return next((reached for reached in history if reached.returns >= level), None)


def standing_still(env: Env, seed: int) -> float:
    """The mean return of agents that never move."""
    team = versus(env, [scripted_actor(env, make_side("stay", env, 0))])
    return float(play_scripted(Batch(env, EPISODES_STILL), team, jax.random.key(seed)).returns.mean())


def train_until(cfg: OffPolicyConfig, level: float) -> tuple[list[Reached], float]:
    """(our chunks, up to the first in which a member returned so much or to the end, seconds that compiling took)."""
    began, done = time.perf_counter(), 0
    algorithm = make_algorithm(cfg, env := cfg.make_env())
    generations = Generations(cfg, env, algorithm)
    state: Any = jax.block_until_ready(generations.start(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds)))
    chunks = generations.chunks(state)
    generations.compile(state)
    compile_seconds, began = time.perf_counter() - began, time.perf_counter()
    history: list[Reached] = []
    while generations.going(state, done) and first_as_good(history, level) is None:
        state, metrics, done = generations.advance(state, chunks, done)
        best, seconds = float(np.nanmax(metrics["return"])), time.perf_counter() - began
        history.append(Reached(best, seconds, done * cfg.num_envs * cfg.rollout_len))
    return history, compile_seconds


def race_lines(found: Race) -> Iterator[str]:
    """What to tell of it."""
    yield f"as good as {found.level:.2f}; a team that stands still returns {found.still:.2f}"
    for side, history, reached in (("AgileRL", found.theirs, found.they_were), ("ours", found.ours, found.we_were)):
        when = reached or history[-1]
        took = f"{when.seconds:8.1f} s, {when.steps:,} steps of each member"
        if reached:
            yield f"{side:8}{reached.returns:8.2f} after {took}"
        else:
            yield f"{side:8} never in {took}: {max(now.returns for now in history):.2f} at its best"
    if found.we_were:
        least = "" if found.they_were else "more than "
        yield (
            f"AgileRL / ours {least}{found.ratio():.1f}; ours compiled in {found.compile_seconds:.1f} s before: "
            f"with that, {least}{found.ratio(compiling=True):.1f}"
        )
