"""Several iterations of training as one compiled program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import RUNS, Algorithm
from jaxmarl_comm.devices import compile_dealt, mesh_of

Array = jax.Array


def compile_chunk(algorithm: Algorithm, state: Any, length: int) -> Any:
    """`length` iterations of all seeds as one compiled program: state (donated) -> (state, metrics name -> `[seeds]`).

    Where there are several devices, each has its share of the seeds. Metrics are means over the iterations; `first_bad`
    is the first iteration with one that is not finite, or -1.
    """

    def chunk(state: Any) -> tuple[Any, dict[str, Array]]:
        start = state.iteration
        state, metrics = jax.lax.scan(lambda s, _: algorithm.update(s), state, length=length)
        finite = jnp.stack([jnp.isfinite(m) for name, m in metrics.items() if not may_be_nan(name)]).all(axis=0)
        means = {name: jnp.nanmean(m) if may_be_nan(name) else m.mean() for name, m in metrics.items()}
        return state, {**means, "first_bad": jnp.where(finite.all(), -1, start + jnp.argmin(finite))}

    axes = algorithm.state_axes
    over_seeds = jax.vmap(chunk, in_axes=(axes,), out_axes=(axes, 0), axis_name=RUNS)
    if mesh := mesh_of(len(state.key) // algorithm.together):
        return compile_dealt(over_seeds, mesh, state, axes)
    return jax.jit(over_seeds, donate_argnums=0).lower(state).compile()


def chunk_lengths(log_interval: int, left: int) -> set[int]:
    """Of the chunks that so many iterations are made of."""
    return {min(log_interval, left), left % log_interval} - {0}


def bytes_held(program: Any) -> int | None:
    """Memory that a compiled program takes while it runs, state and metrics included; None if it does not tell."""
    found = program.memory_analysis()
    if found is None:
        return None
    kept = found.argument_size_in_bytes + found.output_size_in_bytes - found.alias_size_in_bytes
    return kept + found.temp_size_in_bytes


def may_be_nan(metric: str) -> bool:
    """Whether this metric may be undefined: no episode may have ended in a short rollout."""
    return metric.startswith(("return", "truncated_share"))


def crosses(interval: int, before: int, done: int) -> bool:
    """Whether a multiple of the interval lies in (before, done]; never for interval 0."""
    return interval > 0 and done // interval > before // interval
