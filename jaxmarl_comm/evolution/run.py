"""A run of populations: generations between chunks, and the fittest member as a run of its own at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm import interrupts
from jaxmarl_comm.banner import closing
from jaxmarl_comm.chunks import crosses
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.foreign.failure import told_in_one_line
from jaxmarl_comm.evolution.fittest import create_fittest
from jaxmarl_comm.evolution.generations import Generations
from jaxmarl_comm.evolution.population import Population, score
from jaxmarl_comm.memory import within_memory
from jaxmarl_comm.report.generations import generation_table, plot_generations
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import Logged, Runner, TrainResult, train


class Evolved(NamedTuple):
    """A finished evolution. metrics: the rows of metrics.jsonl, of all members. fitness: `[S, P]`, the last measured.

    teams: of all members, `[S * P, ...]`. fittest: the run of the fittest of each population.
    """

    run_dir: Any
    cfg: Config
    metrics: list[dict[str, Any]]
    fitness: np.ndarray
    teams: Any
    fittest: TrainResult


def evolve_run(cfg: Config, folder: RunFolder) -> Evolved:
    """Train and evolve all populations of a config in a run folder, or go on; then evaluate the fittest of each.

    Raises RunError (another process at work here, nobody left alive, interruption) or CheckpointError.
    """
    go_on = f"; go on with --resume {folder.path}"
    with folder.locked(), interrupts.parting(f"stopped{go_on}"), told_in_one_line(go_on), within_memory(cfg, go_on):
        runner = PopulationRunner(cfg, folder)
        runner.console.header(cfg, runner.learned, folder.path)
        state, done = runner.run_to_the_end()
        rows = folder.read_metrics(cfg.num_runs)
        plot_generations(cfg, rows, folder.generations)
        fittest = runner.create_fittest(state, done, rows)
        fitness, teams = np.asarray(score(state.fitness)), runner.teams_of(state)
        runner.console.say(
            f"the fittest of {cfg.evolution.population_size}, in a run folder of its own: {fittest.path}"
        )
    judged = {name: getattr(cfg, name) for name in ("eval_episodes", "eval_episodes_reference")}
    result = train(RunFolder.read(fittest.path)[1].replace(judged), fittest, close=False)
    runner.console.say_all(closing(cfg, folder.path, None))
    return Evolved(folder.path, cfg, rows, fitness, teams, result)


class PopulationRunner(Runner):
    """One run of populations in its folder."""

    def starter(self) -> Any:
        self.generations = Generations(self.cfg, self.env, self.algorithm)
        return self.generations.start

    def teams_of(self, state: Population) -> Any:
        return super().teams_of(state.members)

    def begin(self) -> tuple[Population, int]:
        """As of any run. Where populations go on that had come to an end, the fittest of that end are kept apart."""
        state, done = super().begin()
        if self.generations.going(state, done) and (aside := self.folder.put_fittest_aside()):
            self.console.say(f"the fittest of the end before are in {aside} from now on")
        return state, done

    def run_to_the_end(self) -> tuple[Population, int]:
        """(the populations, iterations that they have learned for): all, or until they are good enough."""
        state = self.run()
        return state, self.saved.latest or 0

    def compile_chunk(self, state: Population, length: int) -> Any:
        return self.generations.chunk(state, length)

    def compile_rest(self, state: Population, done: int) -> None:
        self.generations.compile(state)

    def advance(self, state: Population, done: int, stopped: Callable[[], bool]) -> tuple[Population, int]:
        """(populations, iterations done) once all are done, or enough, or where `stopped` is true; saved."""
        cfg, self.began = self.cfg, time.perf_counter() - self.seconds["train"]
        going = self.generations.going(state, done)
        while going:
            before = done
            state, metrics, done = self.generations.advance(state, self.chunks, done)
            self.record(Logged(done, metrics, None))
            self.check_fitness(metrics)
            going = not stopped() and self.generations.going(state, done)
            if crosses(cfg.checkpoint_interval, before, done) or not going:
                self.save(done, state)
        return state, done

    def check_healthy(self, first_bad: np.ndarray) -> None:
        """A member that diverges has no descendants: that is an end only where nobody is left."""
        lost = (first_bad.reshape(self.cfg.num_seeds, -1) >= 0).all(axis=1)
        if lost.any():
            raise RunError(
                f"every member of population {int(np.argmax(lost))} diverged; the last good checkpoint is that of "
                f"iteration {self.saved.latest}; try lower ranges of lr"
            )

    def check_fitness(self, metrics: Mapping[str, Any]) -> None:
        """Raises RunError where a generation knows nobody's fitness, so that none is the fittest."""
        if "fitness" not in metrics:
            return
        unknown = ~np.isfinite(metrics["fitness"]).reshape(self.cfg.num_seeds, -1).any(axis=1)
        if unknown.any():
            raise RunError(
                f"nobody's fitness is a number in population {int(np.argmax(unknown))}: {self.env.name} tells no "
                f"{self.cfg.evolution.fitness} that is one"
            )

    def show(self, row: Mapping[str, Any]) -> None:
        super().show(row)
        if "fitness" in row:
            self.console.say(generation_table(self.cfg, row))

    def create_fittest(self, state: Population, done: int, rows: list[dict[str, Any]]) -> RunFolder:
        """The run folder of the fittest of each population, with the history of its ancestors."""
        return create_fittest(self, state, self.generations.fittest(state), done, rows)
