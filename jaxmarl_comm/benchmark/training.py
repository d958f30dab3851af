"""What settings cost in training: whole iterations of several variants, in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.runner import compile_chunk

ITERATIONS = 2  # per call

Variant: TypeAlias = tuple[str, Mapping[str, Any]]
"""Its name, and the settings that differ."""


class Cost(NamedTuple):
    """One variant. rate: median environment steps per second. ratio: median of its time to the first variant's."""

    variant: str
    rate: float
    ratio: float
    compile_seconds: float


def measure_variants(cfg: Config, variants: Sequence[Variant], turns: int) -> list[Cost]:
    """All in turn, `turns` times, in whole iterations of training."""
    programs = [trainer(cfg.replace(changes)) for _, changes in variants]
    taken = [[run() for run, _ in programs] for _ in range(turns)]
    steps = ITERATIONS * cfg.num_envs * cfg.rollout_len
    return [
        Cost(
            variant,
            rate=statistics.median(steps / seconds[k] for seconds in taken),
            ratio=statistics.median(seconds[k] / seconds[0] for seconds in taken),
            compile_seconds=compile_seconds,
        )
        for k, ((variant, _), (_, compile_seconds)) in enumerate(zip(variants, programs, strict=True))
    ]


def trainer(cfg: Config) -> tuple[Callable[[], float], float]:
    """(a function that trains on for a few iterations and returns the seconds that they took, seconds to compile)."""
    algorithm = make_algorithm(cfg, cfg.make_train_env(cfg.make_env()))
    init = jax.jit(jax.vmap(algorithm.init, out_axes=algorithm.state_axes))
    state: Any = init(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds))
    began = time.perf_counter()
    chunk = compile_chunk(algorithm, state, ITERATIONS)
    compile_seconds = time.perf_counter() - began
    state = jax.block_until_ready(chunk(state)[0])

    def run() -> float:
        nonlocal state
        began = time.perf_counter()
        state = jax.block_until_ready(chunk(state)[0])
        return time.perf_counter() - began

    return run, compile_seconds
