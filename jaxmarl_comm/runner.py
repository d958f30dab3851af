"""The outer loop: it alone owns jit, chunks, disk and clock, and knows an algorithm only as its record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm import interrupts
from jaxmarl_comm.algorithms import Algorithm, make_algorithm
from jaxmarl_comm.checkpoint import Checkpoints
from jaxmarl_comm.checkpoint_record import CheckpointError, Record, versions
from jaxmarl_comm.config import Config, ConfigError, build_config, silent_control
from jaxmarl_comm.console import Console
from jaxmarl_comm.envs.against import opponent_of
from jaxmarl_comm.evaluation import Evaluation, evaluate_teams, quick_evaluator
from jaxmarl_comm.evaluation.control import Control, check_control
from jaxmarl_comm.files import InterruptedRunError
from jaxmarl_comm.opponents.copies import load_copies, save_copies, sides_of
from jaxmarl_comm.page.report import write_report
from jaxmarl_comm.report.curves import plot_curves
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.report.table import evaluation_table
from jaxmarl_comm.run_folder import RunError, RunFolder, check_goes_on, picture_beside, report_beside

Array = jax.Array


class TrainResult(NamedTuple):
    """A finished run. metrics: the rows of metrics.jsonl. evaluation: what evaluation.json holds."""

    run_dir: Path
    cfg: Config
    metrics: list[dict[str, Any]]
    evaluation: Evaluation


def train(cfg: Config, folder: RunFolder) -> TrainResult:
    """Train all seeds of a config in a run folder, from its newest checkpoint if it has one; then evaluate.

    Raises RunError (another process at work here, divergence, interruption) or CheckpointError.
    """
    with folder.locked(), interrupts.parting(f"stopped; go on with --resume {folder.path}"):
        runner = Runner(cfg, folder)
        runner.console.header(cfg, runner.env, folder.path)
        state = runner.run()
        control = train_control(cfg, folder) if cfg.control else None
        with interrupts.parting(f"stopped after training, which is saved; --resume {folder.path} evaluates it"):
            rows, env = folder.read_metrics(cfg.num_runs), runner.env
            title = f"{cfg.algorithm} on {cfg.env.name}, communication: {cfg.comm.preset}"
            draw = partial(plot_curves, rows, folder.curves, title, ladder=env.ladder, team_names=env.team_names)
            draw()
            evaluation = runner.evaluate(state, cfg, control=control)
            if control is not None:
                draw(control=evaluation["control"])
            return TrainResult(folder.path, cfg, rows, evaluation)


def train_control(cfg: Config, folder: RunFolder) -> Control:
    """The silent control of a run, trained in a run folder inside the run's, or whatever is left of it to train.

    Raises RunError or CheckpointError.
    """
    silent, path = silent_control(cfg), folder.control
    inner = RunFolder.resume(path, silent)[0] if path.exists() else create_control(path, silent, folder)
    with inner.locked():
        runner = Runner(silent, inner)
        runner.console.say(f"training its silent control in {path}")
        try:
            state = runner.run()
        except InterruptedRunError:
            raise InterruptedRunError(f"stopped in the control; go on with --resume {folder.path}") from None
    return runner.as_control(state)


def create_control(path: Path, silent: Config, folder: RunFolder) -> RunFolder:
    """The folder of a run's control, against the very opponents that the run is against."""
    opponents = load_copies(silent, folder.opponents)
    return RunFolder.create(path, silent, lambda draft: save_copies(draft.opponents, opponents))


def load_control(path: Path, ours: Runner) -> Control:
    """A finished silent run, to compare our run with. Raises RunError, ConfigError or CheckpointError."""
    folder, found = RunFolder.open(path)
    check_control(ours.cfg, found, str(path))
    runner = Runner(found, folder)
    if opponent_of(runner.env) != opponent_of(ours.env):
        raise RunError(f"control {path} was trained against another state of the same opponent: {found.opponents}")
    state, record = runner.load()
    if record.iteration < found.num_iters:
        raise RunError(f"control {path} has done {record.iteration} of {found.num_iters} iterations; --resume it first")
    return runner.as_control(state)


class Runner:
    """One run in its folder. What changes here is bookkeeping; the run itself is the algorithm's state."""

    def __init__(self, cfg: Config, folder: RunFolder) -> None:
        self.cfg, self.folder = cfg, folder
        self.env = cfg.make_env(sides_of(cfg, folder.opponents))
        self.algorithm = make_algorithm(cfg, self.env)
        self.checkpoints = Checkpoints(folder.checkpoints)
        self.console = Console(self.algorithm.shown)
        self.seconds = {"compile": 0.0, "train": 0.0, "evaluate": 0.0}
        self.init = jax.jit(jax.vmap(self.algorithm.init, out_axes=self.algorithm.state_axes))
        self.seed_keys = jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds)
        self.chunks: dict[int, Any] = {}
        self.quick_evaluate = quick_evaluator(cfg, self.env, self.algorithm)

    def load(self) -> tuple[Any, Record]:
        """(state of the newest checkpoint that is whole, what it says of itself).

        Raises RunError if there is none or if it belongs to another config, CheckpointError if all are damaged.
        """
        if self.checkpoints.latest is None:
            raise RunError(f"{self.folder.path} has no checkpoint yet")
        shapes = jax.eval_shape(self.init, self.seed_keys)
        state, record = self.checkpoints.load_newest(shapes, self.check_belongs, self.console.say)
        self.seconds |= {phase: record.seconds.get(phase, 0.0) for phase in self.seconds}
        return jax.device_put(state), record

    def check_belongs(self, record: Record) -> None:
        """Raises RunError if a checkpoint is of a run that cannot go on under this config."""
        check_goes_on(self.config_of(record), self.cfg, self._where(record))

    def config_of(self, record: Record) -> Config:
        """What a checkpoint was trained with. Raises CheckpointError."""
        try:
            return build_config(record.config)
        except ConfigError as error:
            raise CheckpointError(f"{self._where(record)} of a config that is unknown here: {error}") from None

    def _where(self, record: Record) -> str:
        return f"checkpoint {self.checkpoints.folder / str(record.iteration)} is"

    def run(self) -> Any:
        """The state after all iterations. Raises InterruptedRunError if the user stops it."""
        state, done = self.begin()
        self.compile_chunks(state, done)
        with interrupts.waiting() as stopped:
            state, done = self.advance(state, done, stopped)
        folder = self.folder.path
        if stopped() and done < self.cfg.num_iters:
            raise InterruptedRunError(
                f"stopped after iteration {done}; go on with --resume {folder} (in Python, resume({str(folder)!r}))"
            )
        if stopped():
            raise InterruptedRunError(f"stopped after training, which is saved; --resume {folder} evaluates it")
        return state

    def begin(self) -> tuple[Any, int]:
        """(the state to go on from, its iteration), the folder's files being as they were at that iteration."""
        if self.checkpoints.latest is None:
            state, done = self.init(self.seed_keys), 0
            self.save(0, state)
        else:
            state, record = self.load()
            done = record.iteration
            self.console.say(f"resuming after iteration {done}")
            self.say_what_changed(record)
        self.folder.write_config(self.cfg)
        self.checkpoints.forget_after(done)
        self.folder.rewind_metrics(done, self.cfg.num_runs, self.console.say)
        return state, done

    def say_what_changed(self, record: Record) -> None:
        """Why the rest of the run may not be what it would have been in one go."""
        before, now = record.versions, versions()
        changed = [f"{name} {before.get(name)} is now {new}" for name, new in now.items() if before.get(name) != new]
        if changed:
            self.console.say(f"what follows may differ in rounding: {', '.join(changed)}")
        planned = self.config_of(record).num_iters
        scheduled = [name for name in self.cfg.scheduled if getattr(self.cfg, f"{name}_schedule") != "constant"]
        if planned < self.cfg.num_iters and scheduled:
            self.console.say(
                f"num_iters was {planned} and is {self.cfg.num_iters}: from here on {', '.join(scheduled)} will be as "
                "in the longer run, though up to here it went faster"
            )

    def advance(self, state: Any, done: int, stopped: Callable[[], bool]) -> tuple[Any, int]:
        """(state, iterations done) once all are done and saved, or where `stopped`, asked at each chunk, is true."""
        cfg, began, train_before = self.cfg, time.perf_counter(), self.seconds["train"]
        pending, stopping = None, False
        while done < cfg.num_iters and not stopping:
            length = min(cfg.log_interval, cfg.num_iters - done)
            state, metrics = self.chunks[length](state)
            self.record(pending)  # of the chunk before, so that the device never waits
            before, done = done, done + length
            if crosses(cfg.eval_interval, before, done):
                metrics |= self.quick_evaluate(teams_of(self.algorithm, state))
            pending, stopping = (done, metrics), stopped()
            if crosses(cfg.checkpoint_interval, before, done) or done == cfg.num_iters or stopping:
                self.record(pending)
                pending = None
                self.seconds["train"] = train_before + time.perf_counter() - began
                self.save(done, state)
        return state, done

    def save(self, iteration: int, state: Any) -> None:
        """Raises RunError or CheckpointError."""
        self.folder.check_there()
        self.checkpoints.save(iteration, state, self.cfg.model_dump(), self.seconds)

    def compile_chunks(self, state: Any, done: int) -> None:
        """Compile all programs that the rest of the run needs, so that nothing has to wait for it later."""
        began, left = time.perf_counter(), self.cfg.num_iters - done
        for length in {min(self.cfg.log_interval, left), left % self.cfg.log_interval} - {0}:
            self.chunks[length] = self.compile_chunk(state, length)
        if self.chunks:
            seconds = time.perf_counter() - began
            self.seconds["compile"] += seconds
            self.console.say(f"compiled in {seconds:.1f} s")
            self.console.start_table(done * self.cfg.num_envs * self.cfg.rollout_len)

    def compile_chunk(self, state: Any, length: int) -> Callable[[Any], tuple[Any, dict[str, Array]]]:
        """So many iterations, as a program: state -> (state, metrics)."""
        chunk: Callable[[Any], tuple[Any, dict[str, Array]]] = compile_chunk(self.algorithm, state, length)
        return chunk

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
        self.show(row)
        self.check_healthy(first_bad)

    def show(self, row: Mapping[str, Any]) -> None:
        """Tell the user of a chunk."""
        self.console.row(row, self.cfg)

    def check_healthy(self, first_bad: np.ndarray) -> None:
        """first_bad: `[seeds]`, the iteration in which a metric was not finite, or -1. Raises RunError."""
        if (first_bad >= 0).any():
            seed = int(np.argmax(first_bad >= 0))
            raise RunError(
                f"training diverged: a metric of seed {seed} is not finite at iteration {first_bad[seed] + 1}; "
                f"the last good checkpoint is that of iteration {self.checkpoints.latest}; try a lower lr"
            )

    def untrained(self) -> Any:
        """The teams that training begins with, and nothing else of that state, which may be large."""
        of_seed = jax.vmap(lambda key: self.algorithm.team(self.algorithm.init(key)))
        return jax.jit(of_seed)(self.seed_keys)

    def as_control(self, state: Any) -> Control:
        """This run in that state, for others to be compared with."""
        return Control(self.cfg, self.algorithm, teams_of(self.algorithm, state), str(self.folder.path))

    def evaluate(
        self, state: Any, cfg: Config, paths: Iterable[Path] | None = None, control: Control | None = None
    ) -> Evaluation:
        """Evaluate a state's policies as this config asks: print the table, write it to a file, and draw messages and
        make a page of the run beside.

        paths: new JSON files, of which the first that is free is taken; None: the run's own evaluation.json. control: a
        silent team to compare with. Raises RunError.
        """
        began = time.perf_counter()
        teams, untrained = teams_of(self.algorithm, state), self.untrained()
        rows = self.folder.read_metrics(self.cfg.num_runs)
        evaluation = evaluate_teams(
            cfg, self.env, self.algorithm, teams, untrained, self.console.say, control=control, rows=rows
        )
        self.seconds["evaluate"] = time.perf_counter() - began
        evaluation |= {"env_steps": self.cfg.env_steps, "seconds": self.seconds}
        path = self.folder.write_new_json(paths, evaluation) if paths else None
        if path is None:
            self.folder.write_json(self.folder.evaluation, evaluation)
        if evaluation["message_table"]:
            plot_messages(evaluation["message_table"], picture_beside(path) if path else self.folder.messages)
        self.console.say(evaluation_table(evaluation))
        self.console.say(
            f"seconds: compile {self.seconds['compile']:.1f}, train {self.seconds['train']:.1f}, "
            f"evaluate {self.seconds['evaluate']:.1f}; written to {path or self.folder.path}"
        )
        self.report(path)
        return evaluation

    def report(self, evaluation: Path | None) -> None:
        """A page of the run with this evaluation, its own if None. It can be made again: a run does not fail by it."""
        page = report_beside(evaluation) if evaluation else self.folder.report
        try:
            self.folder.check_there()
            write_report(self.folder.path, page, evaluation)
            self.console.say(f"report: open {page} in a browser; jaxmarl-comm report {self.folder.path} adds replays")
        except RunError as error:
            self.console.say(f"there is no report: {error}")


def compile_chunk(algorithm: Algorithm, state: Any, length: int) -> Any:
    """`length` iterations of all seeds as one compiled program: state (donated) -> (state, metrics name -> `[seeds]`).

    Metrics are means over the iterations; `first_bad` is the first iteration with one that is not finite, or -1.
    """

    def chunk(state: Any) -> tuple[Any, dict[str, Array]]:
        start = state.iteration
        state, metrics = jax.lax.scan(lambda s, _: algorithm.update(s), state, length=length)
        finite = jnp.stack([jnp.isfinite(m) for name, m in metrics.items() if not may_be_nan(name)]).all(axis=0)
        means = {name: jnp.nanmean(m) if may_be_nan(name) else m.mean() for name, m in metrics.items()}
        return state, {**means, "first_bad": jnp.where(finite.all(), -1, start + jnp.argmin(finite))}

    axes = algorithm.state_axes
    over_seeds = jax.vmap(chunk, in_axes=(axes,), out_axes=(axes, 0))
    return jax.jit(over_seeds, donate_argnums=0).lower(state).compile()


def teams_of(algorithm: Algorithm, state: Any) -> Any:
    """The teams of all seeds in a state, a leading axis on every array."""
    return jax.vmap(algorithm.team, in_axes=(algorithm.state_axes,))(state)


def may_be_nan(metric: str) -> bool:
    """Whether this metric may be undefined: no episode may have ended in a short rollout."""
    return metric.startswith(("return", "truncated_share"))


def crosses(interval: int, before: int, done: int) -> bool:
    """Whether a multiple of the interval lies in (before, done]; never for interval 0."""
    return interval > 0 and done // interval > before // interval
