"""Training and judging the programs of a study, one row of results per protocol and value."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm, make_algorithm
from jaxmarl_comm.chunks import compile_chunk
from jaxmarl_comm.compiling import jit_quickly
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.evolution.fittest import histories
from jaxmarl_comm.evolution.generations import Generations
from jaxmarl_comm.memory import within_memory
from jaxmarl_comm.runner import teams_of
from jaxmarl_comm.study.config import Program, StudyConfig, programs
from jaxmarl_comm.study.curve import Curves, mean_of_known
from jaxmarl_comm.study.folder import StudyFolder, is_done
from jaxmarl_comm.study.judge import judge

Array = jax.Array


def run_study(study: StudyConfig, folder: StudyFolder, tell: Callable[[str], None] = print) -> list[dict[str, Any]]:
    """All programs that have no results yet, results being written after each. Raises RunError."""
    todo = list(programs(study))
    env = todo[0].cfg.make_env()  # all programs have one task
    rows = folder.read(study, env)
    tell(f"study in {folder.path}: {len(todo)} programs")
    for k, program in enumerate(todo, start=1):
        name = program.protocol + (f", {program.field} {program.values}" if program.field else "")
        if is_done(program, rows):
            tell(f"{k}/{len(todo)} {name}: done before")
            continue
        began = time.perf_counter()
        tell(f"{k}/{len(todo)} {name}: {program.cfg.env_steps * len(program.values) * program.cfg.num_runs:,} steps")
        with within_memory(program.cfg, values=len(program.values)):
            rows += run_program(program, study.level, tell)
        folder.write(rows, env)
        tell(f"  {time.perf_counter() - began:.0f} s")
    tell(folder.table.read_text(encoding="utf-8"))
    return rows


def run_program(program: Program, level: float | None, tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Train all values and seeds of a program side by side; a row of results for each value."""
    cfg = program.cfg
    env = cfg.make_env()
    algorithm = make_algorithm(cfg, cfg.make_train_env(env))
    trained = evolve_program(cfg, env, algorithm) if cfg.evolves else learn_program(program, algorithm)
    curves = trained.curves
    tell(f"  in training at the end: {_returns_at_the_end(env, curves)}; judging")
    judged = judge(program, env, algorithm, trained.teams, trained.untrained, curves)
    rows = []
    for k, (value, of_cfg, of_value) in enumerate(zip(program.values, program.cfgs, judged, strict=True)):
        own = curves.of(slice(k * cfg.num_seeds, (k + 1) * cfg.num_seeds))
        steps_of_each = int(curves.env_steps[-1])
        steps = steps_of_each * cfg.num_runs * len(program.values)
        row = {"protocol": program.protocol, "field": program.field, "value": value, "config": of_cfg.model_dump()}
        row |= {"env_steps": steps_of_each, "steps_per_second": steps / trained.seconds}
        row |= {"curve": own.report(env)}
        row |= {} if level is None else {"steps_to_level": own.steps_to_level(env, level)}
        rows.append(row | of_value)
        for warning in of_value["warnings"]:
            tell(f"  {warning}")
    return rows


class Trained(NamedTuple):
    """What became of a program's runs. teams, untrained: of all runs. seconds: of training, once compiled."""

    teams: Any
    untrained: Any
    curves: Curves
    seconds: float


def learn_program(program: Program, algorithm: Algorithm) -> Trained:
    """All runs of a program, side by side."""
    state = start(program, algorithm)
    untrained = jax.tree.map(np.array, teams_of(algorithm, state))  # copies, as training takes the state's memory
    state, curves, seconds = train_program(program, algorithm, state)
    return Trained(teams_of(algorithm, state), untrained, curves, seconds)


def train_program(program: Program, algorithm: Algorithm, state: Any) -> tuple[Any, Curves, float]:
    """(state of all runs after training, how they learned, seconds that it took once compiled)."""
    cfg, done, seconds = program.cfg, 0, 0.0
    chunks: dict[int, Any] = {}
    steps, logged = [], []
    while done < cfg.num_iters:
        length = min(cfg.log_interval, cfg.num_iters - done)
        if length not in chunks:
            chunks[length] = compile_chunk(algorithm, state, length)
        began = time.perf_counter()
        state, metrics = jax.block_until_ready(chunks[length](state))
        seconds += time.perf_counter() - began
        done += length
        steps.append(done * cfg.num_envs * cfg.rollout_len)
        logged.append(metrics)
    return state, Curves.gather(steps, logged), seconds


def evolve_program(cfg: Config, env: Env, algorithm: Algorithm) -> Trained:
    """The populations of a config, of which the fittest member of each is what became of its seed's run."""
    generations, done = Generations(cfg, env, algorithm), 0
    state = generations.start(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds))
    firsts = np.arange(0, cfg.num_runs, cfg.evolution.population_size)
    untrained = jax.tree.map(np.array, teams_of(algorithm, generations.members(state, firsts)))
    chunks = generations.chunks(state)
    generations.compile(state)
    rows, began = [], time.perf_counter()
    while generations.going(state, done):
        state, metrics, done = generations.advance(state, chunks, done)
        rows.append({"env_steps": done * cfg.num_envs * cfg.rollout_len, **jax.device_get(metrics)})
    seconds = time.perf_counter() - began
    places = generations.fittest(state)
    chosen = histories([as_lists(row) for row in rows], places, cfg.evolution.population_size)
    steps = [row.pop("env_steps") for row in chosen]
    shared = set.intersection(*(set(row) for row in chosen))
    logged = [{name: np.array(row[name]) for name in shared} for row in chosen]
    teams = teams_of(algorithm, generations.members(state, places))
    return Trained(teams, untrained, Curves.gather(steps, logged), seconds)


def as_lists(row: dict[str, Any]) -> dict[str, Any]:
    return {name: x.tolist() if isinstance(x, np.ndarray) else x for name, x in row.items()}


def _returns_at_the_end(env: Env, curves: Curves) -> str:
    last = {name: mean_of_known(curves.metrics[name][:, ~curves.diverged])[-1] for name in env.per_team("return")}
    return ", ".join(f"{name.replace('_', ' of ')} {value:.2f}" for name, value in last.items())


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

    return jit_quickly(jax.vmap(of_run, out_axes=algorithm.state_axes))(keys, varied)
