"""The outer loop: it alone owns jit, chunks, disk and clock, and knows an algorithm only as its record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm import interrupts
from jaxmarl_comm.algorithms import Algorithm, make_algorithm
from jaxmarl_comm.banner import closing
from jaxmarl_comm.best import Better
from jaxmarl_comm.checkpoint_record import Record, versions
from jaxmarl_comm.chunks import bytes_held, chunk_lengths, compile_chunk, crosses
from jaxmarl_comm.compiling import jit_quickly
from jaxmarl_comm.config import Config, silent_control
from jaxmarl_comm.console import Console
from jaxmarl_comm.envs.against import opponent_of
from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.envs.foreign.failure import told_in_one_line
from jaxmarl_comm.evaluation import Evaluation, evaluate_teams, quick_evaluator
from jaxmarl_comm.evaluation.control import Control, check_control
from jaxmarl_comm.evaluation.yardsticks import Yardsticks
from jaxmarl_comm.files import InterruptedRunError
from jaxmarl_comm.memory import within_memory
from jaxmarl_comm.opponents.copies import facing_copies, load_copies, save_copies
from jaxmarl_comm.page.report import write_report
from jaxmarl_comm.provenance import provenance
from jaxmarl_comm.report.curves import plot_curves
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.report.table import evaluation_table
from jaxmarl_comm.run_folder import RunError, RunFolder, picture_beside, report_beside
from jaxmarl_comm.saved import LATEST, Saved

Array = jax.Array
LONG = 20.0  # seconds of training still to come, in which much of an evaluation can be prepared


class Logged(NamedTuple):
    """A chunk's metrics, after this iteration, and its teams if they did better than all before."""

    iteration: int
    metrics: Mapping[str, Any]
    better: Better | None


class TrainResult(NamedTuple):
    """A finished run. metrics: the rows of metrics.jsonl. evaluation: what evaluation.json holds."""

    run_dir: Path
    cfg: Config
    metrics: list[dict[str, Any]]
    evaluation: Evaluation


def train(cfg: Config, folder: RunFolder, close: bool = True) -> TrainResult:
    """Train all seeds of a config in a run folder, from its newest checkpoint if it has one; then evaluate.

    close: whether to say at the end how well it went, and how to do it again.
    Raises RunError (another process at work here, divergence, interruption, a damaged checkpoint).
    """
    go_on = f"; go on with --resume {folder.path}"
    with folder.locked(), interrupts.parting(f"stopped{go_on}"), told_in_one_line(go_on), within_memory(cfg, go_on):
        runner = Runner(cfg, folder)
        runner.console.header(cfg, runner.learned, folder.path)
        # An accelerator's memory is for training, and so are the processes of an environment in Python.
        if jax.default_backend() == "cpu" and not runner.env.name.startswith(PREFIX):
            runner.yardsticks = runner.yardsticks_for(cfg)
        state = runner.run()
        control = train_control(cfg, folder) if cfg.control else None
        with interrupts.parting(f"stopped after training, which is saved; --resume {folder.path} evaluates it"):
            rows, env = folder.read_metrics(cfg.num_runs), runner.env
            title = f"{cfg.algorithm} on {cfg.env.name}, communication: {cfg.comm.preset}"
            seconds = folder.read_clock()
            draw = partial(
                plot_curves,
                rows,
                folder.curves,
                title,
                env.ladder,
                seconds=seconds,
                team_names=env.team_names,
                of_task=not cfg.train_env,
            )
            draw()
            evaluation = runner.evaluate(runner.teams_of(state), cfg.num_iters, cfg, control=control)
            if control is not None:
                draw(control=evaluation["control"])
            if close:
                runner.console.say_all(closing(cfg, folder.path, runner.saved.best.record()))
            return TrainResult(folder.path, cfg, rows, evaluation)


def train_control(cfg: Config, folder: RunFolder) -> Control:
    """The silent control of a run, trained in a run folder inside the run's, or whatever is left of it to train.

    Raises RunError.
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
    """A finished silent run, to compare our run with. Raises RunError or ConfigError."""
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
        self.env = facing_copies(cfg.make_env(), cfg, folder.opponents)
        self.learned = facing_copies(cfg.make_train_env(self.env), cfg, folder.opponents)
        self.algorithm = make_algorithm(cfg, self.learned)
        measures = self.learned.measures if len(self.env.team_names) == 1 else {}
        self.console = Console(self.algorithm.shown, measures, self.learned.max_cycles)
        self.seconds = {"compile": 0.0, "train": 0.0, "evaluate": 0.0}
        self.began = 0.0  # when training would have begun, had it never stopped
        self.init = self.starter()
        self.seed_keys = jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds)
        self.chunks: dict[int, Any] = {}
        like = partial(jax.eval_shape, self.init, self.seed_keys)
        self.saved = Saved(cfg, folder, like, self.teams_of, self.console.say)
        self.quick_evaluate = quick_evaluator(cfg, self.env, self.algorithm)
        self.yardsticks: Yardsticks | None = None  # of the evaluation to come, if it may begin while training goes on

    def starter(self) -> Any:
        """Keys of seeds -> the state in which all begin, compiled when it is first called."""
        return jit_quickly(jax.vmap(self.algorithm.init, out_axes=self.algorithm.state_axes))

    def teams_of(self, state: Any) -> Any:
        """See `teams_of`."""
        return teams_of(self.algorithm, state)

    def load(self) -> tuple[Any, Record]:
        """See `Saved.load_state`."""
        state, record = self.saved.load_state()
        self.take_seconds(record)
        return jax.device_put(state), record

    def load_teams(self, which: str | int = LATEST) -> tuple[Any, Record]:
        """See `Saved.load_teams`."""
        teams, record = self.saved.load_teams(which)
        self.take_seconds(record)
        return jax.device_put(teams), record

    def take_seconds(self, record: Record) -> None:
        """Go on counting from what was spent until then."""
        self.seconds |= {phase: record.seconds.get(phase, 0.0) for phase in self.seconds}

    def run(self) -> Any:
        """The state after all iterations. Raises InterruptedRunError if the user stops it."""
        state, done = self.begin()
        self.compile_programs(state, done)
        with interrupts.waiting() as stopped, self.console.training(self.cfg):
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
        if self.saved.latest is None:
            state, done = self.init(self.seed_keys), 0
            self.save(0, state)
        else:
            state, record = self.load()
            done = record.iteration
            self.console.say(f"resuming after iteration {done}")
            self.say_what_changed(record)
        self.folder.write_config(self.cfg)
        self.saved.rewind(done)
        self.folder.rewind(done, self.cfg.num_runs, self.console.say)
        self.folder.append_start(done, provenance(), self.console.say)
        return state, done

    def say_what_changed(self, record: Record) -> None:
        """Why the rest of the run may not be what it would have been in one go."""
        before, now = record.versions, versions()
        changed = [f"{name} {before.get(name)} is now {new}" for name, new in now.items() if before.get(name) != new]
        if changed:
            self.console.say(f"what follows may differ in rounding: {', '.join(changed)}")
        planned = self.saved.config_of(record).num_iters
        scheduled = [name for name in self.cfg.scheduled if getattr(self.cfg, f"{name}_schedule") != "constant"]
        if self.cfg.comm.discretise == "gumbel" and self.cfg.comm.temperature_end != self.cfg.comm.temperature:
            scheduled.append("comm.temperature")
        if planned < self.cfg.num_iters and scheduled:
            self.console.say(
                f"num_iters was {planned} and is {self.cfg.num_iters}: from here on {', '.join(scheduled)} will be as "
                "in the longer run, though up to here it went faster"
            )

    def advance(self, state: Any, done: int, stopped: Callable[[], bool]) -> tuple[Any, int]:
        """(state, iterations done) once all are done and saved, or where `stopped`, asked at each chunk, is true."""
        cfg, self.began = self.cfg, time.perf_counter() - self.seconds["train"]
        pending, stopping = None, False
        while done < cfg.num_iters and not stopping:
            length = min(cfg.log_interval, cfg.num_iters - done)
            state, metrics = self.chunks[length](state)
            self.record(pending)  # of the chunk before, so that the device never waits
            before, done = done, done + length
            pending, stopping = self.logged(before, done, state, metrics), stopped()
            if crosses(cfg.checkpoint_interval, before, done) or done == cfg.num_iters or stopping:
                self.record(pending)
                pending = None
                self.save(done, state)
        return state, done

    def logged(self, before: int, done: int, state: Any, metrics: dict[str, Array]) -> Logged:
        """What there is to record of the chunk between these iterations, with a short evaluation if one is due."""
        if not crosses(self.cfg.eval_interval, before, done):
            return Logged(done, metrics, None)
        teams = self.teams_of(state)
        measured = self.quick_evaluate(teams)
        return Logged(done, metrics | measured, self.saved.best.better(teams, measured))

    def save(self, iteration: int, state: Any) -> None:
        """Raises RunError."""
        self.saved.save(iteration, state, self.seconds)

    def compile_programs(self, state: Any, done: int) -> None:
        """Compile all programs that the rest of the run needs, so that nothing has to wait for it later."""
        began = time.perf_counter()
        lengths = chunk_lengths(self.cfg.log_interval, self.cfg.num_iters - done)
        if not lengths:
            return
        with self.console.waiting("compiling"):
            self.chunks = {length: self.compile_chunk(state, length) for length in lengths}
            self.compile_rest(state, done)
        seconds = time.perf_counter() - began
        self.seconds["compile"] += seconds
        self.console.compiled(seconds, bytes_held(self.chunks[max(lengths)]))
        self.console.start_table(self.steps_at(done))

    def compile_chunk(self, state: Any, length: int) -> Any:
        """So many iterations, as a program: state -> (state, metrics)."""
        return compile_chunk(self.algorithm, state, length)

    def compile_rest(self, state: Any, done: int) -> None:
        """What is run between chunks after this iteration."""
        if crosses(self.cfg.eval_interval, done, self.cfg.num_iters):
            self.quick_evaluate(self.teams_of(state))

    def record(self, pending: Logged | None) -> None:
        """Write one chunk's metrics, and its teams if they are the best. Raises RunError if training diverged in it."""
        if pending is None:
            return
        done, metrics, better = pending
        values = {name: np.asarray(value) for name, value in metrics.items()}
        first_bad = values.pop("first_bad")
        row = {"iteration": done, "env_steps": self.steps_at(done)}
        row |= {name: value.tolist() for name, value in values.items()}
        self.seconds["train"] = time.perf_counter() - self.began
        self.folder.append_metrics(row)
        self.folder.append_clock(done, self.seconds["train"])
        if self.yardsticks and self.seconds["train"] / done * (self.cfg.num_iters - done) > LONG:
            self.yardsticks.begin()
        self.show(row)
        self.check_healthy(first_bad)
        if better is not None:
            self.saved.save_best(done, better, self.seconds)

    def show(self, row: Mapping[str, Any]) -> None:
        """Tell the user of a chunk."""
        self.console.row(row, self.cfg)

    def check_healthy(self, first_bad: np.ndarray) -> None:
        """first_bad: `[seeds]`, the iteration in which a metric was not finite, or -1. Raises RunError."""
        if (first_bad >= 0).any():
            seed = int(np.argmax(first_bad >= 0))
            raise RunError(
                f"training diverged: a metric of seed {seed} is not finite at iteration {first_bad[seed] + 1}; "
                f"the last good checkpoint is that of iteration {self.saved.latest}; try a lower lr"
            )

    def steps_at(self, iteration: int) -> int:
        """Environment steps of each seed until then."""
        return iteration * self.cfg.num_envs * self.cfg.rollout_len

    def untrained(self) -> Any:
        """The teams that training begins with, and nothing else of that state, which may be large."""
        of_seed = jax.vmap(lambda key: self.algorithm.team(self.algorithm.init(key)))
        return jax.jit(of_seed)(self.seed_keys)

    def yardsticks_for(self, cfg: Config) -> Yardsticks:
        """Of this run, in the episodes of an evaluation as that config asks."""
        same = cfg.env == self.cfg.env
        env = self.env if same else facing_copies(cfg.make_env(), self.cfg, self.folder.opponents)
        return Yardsticks(cfg, env, self.algorithm, self.untrained)

    def as_control(self, state: Any) -> Control:
        """This run in that state, for others to be compared with."""
        return Control(self.cfg, self.algorithm, self.teams_of(state), str(self.folder.path))

    def evaluate(
        self,
        teams: Any,
        iteration: int,
        cfg: Config,
        paths: Iterable[Path] | None = None,
        control: Control | None = None,
    ) -> Evaluation:
        """Evaluate the teams of an iteration as this config asks: print the table, write it to a file, and draw
        messages and make a page of the run beside.

        paths: new JSON files, of which the first that is free is taken; None: the run's own evaluation.json. control: a
        silent team to compare with. Raises RunError.
        """
        began = time.perf_counter()
        rows = self.folder.read_metrics(self.cfg.num_runs)
        with self.console.waiting("evaluating"):
            yardsticks = self.yardsticks or self.yardsticks_for(cfg)
            evaluation = evaluate_teams(yardsticks, teams, self.console.say, control=control, rows=rows)
        self.seconds["evaluate"] = time.perf_counter() - began
        evaluation |= {"iteration": iteration, "env_steps": self.steps_at(iteration), "seconds": self.seconds}
        path = self.folder.write_new_json(paths, evaluation) if paths else None
        if path is None:
            self.folder.write_json(self.folder.evaluation, evaluation)
        if evaluation["message_table"]:
            plot_messages(evaluation["message_table"], picture_beside(path) if path else self.folder.messages)
        for name, value in self.cfg.other_arguments(cfg.env.arguments).items():
            self.console.say(f"judged in a task where {name} is {value}")
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


def teams_of(algorithm: Algorithm, state: Any) -> Any:
    """The teams of all seeds in a state, a leading axis on every array."""
    return jax.vmap(algorithm.team, in_axes=(algorithm.state_axes,))(state)
