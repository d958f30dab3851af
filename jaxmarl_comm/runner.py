"""The outer loop: it alone owns jit, chunks, disk, clock and signals, and knows an algorithm only as its record."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms import Algorithm, make_algorithm
from jaxmarl_comm.checkpoint import Checkpoints
from jaxmarl_comm.config import Config
from jaxmarl_comm.console import Console
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.evaluation import Evaluation, evaluate_teams, quick_evaluator
from jaxmarl_comm.report.curves import plot_curves
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.report.table import evaluation_table
from jaxmarl_comm.run_folder import RunError, RunFolder

Array = jax.Array
MAY_BE_NAN = {"return"}  # no episode may have ended in a short rollout


class TrainResult(NamedTuple):
    """A finished run. metrics: the rows of metrics.jsonl. evaluation: what evaluation.json holds."""

    run_dir: Path
    cfg: Config
    metrics: list[dict[str, Any]]
    evaluation: Evaluation


class InterruptedRunError(RunError):
    """The user stopped the run; it can be resumed."""


def train(cfg: Config, folder: RunFolder) -> TrainResult:
    """Train all seeds of a config in a run folder, from its newest checkpoint if it has one; then evaluate.

    Raises RunError (divergence, interruption) or CheckpointError.
    """
    runner = Runner(cfg, folder)
    runner.console.header(cfg, runner.env, folder.path)
    with stop_signals() as stopped:
        state = runner.run(stopped)
    rows = folder.read_metrics()
    plot_curves(rows, folder.curves, f"{cfg.algorithm} on {cfg.env.name}, communication: {cfg.comm.preset}")
    return TrainResult(folder.path, cfg, rows, runner.evaluate(state, cfg))


class Runner:
    """One run in its folder. What changes here is bookkeeping; the run itself is the algorithm's state."""

    def __init__(self, cfg: Config, folder: RunFolder) -> None:
        self.cfg, self.folder = cfg, folder
        self.env = make_env(cfg.env.name, **cfg.env.arguments)
        self.algorithm = make_algorithm(cfg, self.env)
        self.checkpoints = Checkpoints(folder.checkpoints)
        self.console = Console()
        self.seconds = folder.read_seconds()
        self.init = jax.jit(jax.vmap(self.algorithm.init, out_axes=self.algorithm.state_axes))
        self.seed_keys = jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds)
        self.chunks: dict[int, Any] = {}
        self.quick_evaluate = quick_evaluator(cfg, self.env, self.algorithm)

    def load(self) -> tuple[Any, int]:
        """(state of the newest checkpoint, its iteration). Raises CheckpointError or RunError."""
        iteration = self.checkpoints.latest
        if iteration is None:
            raise RunError(f"{self.folder.path} has no checkpoint yet")
        return jax.device_put(self.checkpoints.load(iteration, jax.eval_shape(self.init, self.seed_keys))), iteration

    def run(self, stopped: Callable[[], bool]) -> Any:
        """The state after all iterations. Raises InterruptedRunError where `stopped`, asked between chunks, is true."""
        cfg = self.cfg
        if self.checkpoints.latest is None:
            state, done = self.init(self.seed_keys), 0
            self.checkpoints.save(0, state)
        else:
            state, done = self.load()
            self.console.say(f"resuming after iteration {done}")
        self.folder.rewind_metrics(done)
        began, compile_before = time.perf_counter(), self.seconds["compile"]
        train_before = self.seconds["train"]
        pending = None
        while done < cfg.num_iters:
            chunk, length = self.compiled_chunk(state, done)
            state, metrics = chunk(state)
            self.record(pending)  # of the chunk before, so that the device never waits
            before, done = done, done + length
            if crosses(cfg.eval_interval, before, done):
                metrics |= self.quick_evaluate(teams_of(self.algorithm, state))
            pending = (done, metrics)
            interrupted = stopped() and done < cfg.num_iters
            if crosses(cfg.checkpoint_interval, before, done) or done == cfg.num_iters or interrupted:
                self.record(pending)
                pending = None
                self.checkpoints.save(done, state)
                compiling = self.seconds["compile"] - compile_before
                self.seconds["train"] = train_before + time.perf_counter() - began - compiling
                self.folder.write_json(self.folder.seconds, self.seconds)
            if interrupted:
                raise InterruptedRunError(f"stopped after iteration {done}; go on with --resume {self.folder.path}")
        return state

    def compiled_chunk(self, state: Any, done: int) -> tuple[Any, int]:
        """(the next chunk as one compiled program, its number of iterations)."""
        length = min(self.cfg.log_interval, self.cfg.num_iters - done)
        if length not in self.chunks:
            began = time.perf_counter()
            self.chunks[length] = compile_chunk(self.algorithm, state, length)
            self.seconds["compile"] += time.perf_counter() - began
            self.console.say(f"compiled in {time.perf_counter() - began:.1f} s")
            if len(self.chunks) == 1:
                self.console.start_table(done * self.cfg.num_envs * self.cfg.rollout_len)
        return self.chunks[length], length

    def record(self, pending: tuple[int, dict[str, Array]] | None) -> None:
        """Write one chunk's metrics. Raises RunError if training diverged in it."""
        if pending is None:
            return
        done, metrics = pending
        values = {name: np.asarray(value) for name, value in metrics.items()}
        first_bad = values.pop("first_bad")
        row = {"iteration": done, "env_steps": done * self.cfg.num_envs * self.cfg.rollout_len}
        row |= {name: value.tolist() for name, value in values.items()}
        self.folder.append_metrics(row)
        self.console.row(row, self.cfg)
        if (first_bad >= 0).any():
            seed = int(np.argmax(first_bad >= 0))
            raise RunError(
                f"training diverged: a metric of seed {seed} is not finite at iteration {first_bad[seed] + 1}; "
                f"the last good checkpoint is that of iteration {self.checkpoints.latest}; try a lower lr"
            )

    def evaluate(self, state: Any, cfg: Config) -> Evaluation:
        """Evaluate a state's policies as this config asks: print the table, write evaluation.json, draw messages."""
        began = time.perf_counter()
        evaluation = evaluate_teams(cfg, self.env, self.algorithm, teams_of(self.algorithm, state), self.console.say)
        self.seconds["evaluate"] = time.perf_counter() - began
        evaluation |= {"env_steps": self.cfg.env_steps, "seconds": self.seconds}
        self.folder.write_json(self.folder.evaluation, evaluation)
        if evaluation["message_table"]:
            plot_messages(evaluation["message_table"], self.folder.messages)
        self.console.say(evaluation_table(evaluation))
        self.console.say(
            f"seconds: compile {self.seconds['compile']:.1f}, train {self.seconds['train']:.1f}, "
            f"evaluate {self.seconds['evaluate']:.1f}; written to {self.folder.path}"
        )
        return evaluation


def compile_chunk(algorithm: Algorithm, state: Any, length: int) -> Any:
    """`length` iterations of all seeds as one compiled program: state (donated) -> (state, metrics name -> `[seeds]`).

    Metrics are means over the iterations; `first_bad` is the first iteration with one that is not finite, or -1.
    """

    def chunk(state: Any) -> tuple[Any, dict[str, Array]]:
        start = state.iteration
        state, metrics = jax.lax.scan(lambda s, _: algorithm.update(s), state, length=length)
        finite = jnp.stack([jnp.isfinite(m) for name, m in metrics.items() if name not in MAY_BE_NAN]).all(axis=0)
        means = {name: jnp.nanmean(m) if name in MAY_BE_NAN else m.mean() for name, m in metrics.items()}
        return state, {**means, "first_bad": jnp.where(finite.all(), -1, start + jnp.argmin(finite))}

    axes = algorithm.state_axes
    over_seeds = jax.vmap(chunk, in_axes=(axes,), out_axes=(axes, 0))
    return jax.jit(over_seeds, donate_argnums=0).lower(state).compile()


def teams_of(algorithm: Algorithm, state: Any) -> Any:
    """The teams of all seeds in a state, a leading axis on every array."""
    return jax.vmap(algorithm.team, in_axes=(algorithm.state_axes,))(state)


def crosses(interval: int, before: int, done: int) -> bool:
    """Whether a multiple of the interval lies in (before, done]; never for interval 0."""
    return interval > 0 and done // interval > before // interval


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """While inside, Ctrl-C and SIGTERM only make the given function return True; a second one acts as usual."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number: int, frame: Any) -> None:
        received.append(number)
        signal.signal(number, before[number])

    before: dict[int, Any] = {n: signal.signal(n, note) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
