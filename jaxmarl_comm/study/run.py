"""Training and judging the programs of a study, one row of results per protocol and value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Algorithm, make_algorithm
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.report.study import study_table
from jaxmarl_comm.runner import compile_chunk, teams_of
from jaxmarl_comm.study.config import Program, StudyConfig, programs
from jaxmarl_comm.study.folder import StudyFolder, is_done
from jaxmarl_comm.study.judge import judge

Array = jax.Array


def run_study(study: StudyConfig, folder: StudyFolder, tell: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """All programs that have no results yet, results being written after each. Raises RunError."""
    todo, rows = list(programs(study)), folder.read()
    tell(f"study in {folder.path}: {len(todo)} programs")
    for k, program in enumerate(todo, start=1):
        name = program.protocol + (f", {program.field} {program.values}" if program.field else "")
        if is_done(program, rows):
            tell(f"{k}/{len(todo)} {name}: done before")
            continue
        began = time.perf_counter()
        tell(f"{k}/{len(todo)} {name}: {program.cfg.env_steps * len(program.values) * program.cfg.num_seeds:,} steps")
        rows += run_program(program, tell)
        folder.write(rows, program.cfg.env.name)
        tell(f"  {time.perf_counter() - began:.0f} s")
    tell(study_table(rows))
    return rows


def run_program(program: Program, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train all values and seeds of a program side by side; a row of results for each value."""
    cfg = program.cfg
    env = make_env(cfg.env.name, **cfg.env.arguments)
    algorithm = make_algorithm(cfg, env)
    state = start(program, algorithm)
    chunks: dict[int, Any] = {}
    done, seconds = 0, 0.0
    while done < cfg.num_iters:
        length = min(cfg.log_interval, cfg.num_iters - done)
        if length not in chunks:
            chunks[length] = compile_chunk(algorithm, state, length)
        began = time.perf_counter()
        state, metrics = jax.block_until_ready(chunks[length](state))
        seconds += time.perf_counter() - began
        done += length
    tell(f"  return in training at the end: {float(jnp.nanmean(metrics['return'])):.2f}; judging")
    num_runs = len(program.values) * cfg.num_seeds
    rate = cfg.env_steps * num_runs / seconds
    diverged = metrics["first_bad"] >= 0
    found = judge(program, env, algorithm, teams_of(algorithm, state))
    return [
        {
            "protocol": program.protocol,
            "field": program.field,
            "value": value,
            "env_steps": cfg.env_steps,
            "steps_per_second": rate,
            "diverged": int(diverged[k * cfg.num_seeds : (k + 1) * cfg.num_seeds].sum()),
            **of_value,
        }
        for k, (value, of_value) in enumerate(zip(program.values, found, strict=True))
    ]


def start(program: Program, algorithm: Algorithm) -> Any:
    """States of all runs, `[values * seeds]`: every value starts from the same seeds."""
    cfg, count = program.cfg, len(program.values)
    keys = jnp.tile(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds), count)
    varied = {}
    if count > 1:
        values = jnp.array(program.values, float)
        varied[f"comm.{program.field}"] = jnp.repeat(values, cfg.num_seeds)

    def of_run(key: Array, numbers: dict[str, Array]) -> Any:
        return algorithm.vary(algorithm.init(key), numbers)

    return jax.jit(jax.vmap(of_run, out_axes=algorithm.state_axes))(keys, varied)
