"""What a run tells its user while it goes on."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from jaxmarl_comm import banner, idle, live
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env

WIDTH = 10  # of a column, at least
BAR = 24  # characters


class Console:
    """Header, table and progress on standard output. Every line is also useful in a log file.

    On a terminal, its last line says how far training is, or for how long something else has been going on.
    """

    def __init__(self, shown: Sequence[str], measures: Mapping[str, float] | None = None, cycles: int = 1) -> None:
        """shown: names of the metrics that have a column. measures: see `Env.measures`; each has a column, too.

        Where a task has measures of its own, its episodes of so many `cycles` are counted, too, as days would be.
        """
        self.shown, self.measures, self.cycles = tuple(shown), dict(measures or {}), cycles
        self.names = ("iteration", "env_steps", *("episodes",) * bool(self.measures), *self.shown, *self.measures)
        self.began = self.rated = time.perf_counter()
        self.first_steps = 0
        self.row_shown: Mapping[str, Any] | None = None

    def say(self, line: str) -> None:
        print(line, flush=True)

    def say_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.say(line)

    def header(self, cfg: Config, env: Env, folder: Path) -> None:
        """What is about to run, and where."""
        self.say_all(
            [
                *banner.header(cfg, env, folder),
                *cfg.told(env),
                *env.told(cfg.num_envs * cfg.num_runs, cfg.eval_episodes),
                *idle.hints(cfg, env),
            ]
        )
        if cfg.comm.rounds and not cfg.channel(env).reaches_anyone:
            self.say(
                f"hint: nobody can hear anybody in {env.name} (comm.route: {cfg.comm.route}), so messages do nothing"
            )

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """While inside, a terminal's last line says that this is going on, and for how long."""
        return live.foot(live.waiting(what))

    def training(self, cfg: Config) -> AbstractContextManager[None]:
        """While inside, a terminal's last line says how far training is."""
        return live.foot(lambda: self._progress(cfg))

    def compiled(self, seconds: float, held: int | None) -> None:
        """How long it took, and how much memory training will hold, if that is known."""
        self.say(f"compiled in {seconds:.1f} s" + ("" if held is None else f"; training holds {banner.in_bytes(held)}"))

    def start_table(self, env_steps: int) -> None:
        """Column names; rate and time left are counted from here."""
        self.began, self.first_steps = time.perf_counter(), env_steps
        self._line([*map(self._heading, self.names), "steps/s", "time", "left"])

    def row(self, row: Mapping[str, Any], cfg: Config) -> None:
        """One row of metrics.jsonl, means over seeds, and how fast it goes."""
        self.row_shown, self.rated = row, time.perf_counter()
        rate, left = self._pace(row, cfg)
        cells = [f"{row['iteration']:,}", f"{row['env_steps'] / 1e6:.2f} M"]
        if self.measures:
            cells.append(f"{row['env_steps'] // self.cycles:,}")
        cells += [_number(row, name) for name in self.shown]
        cells += [_told(factor * _mean(row, "return")) for factor in self.measures.values()]
        self._line([*cells, f"{rate:,.0f}", live.clock(self.rated - self.began), live.clock(left)])

    def _pace(self, row: Mapping[str, Any], cfg: Config) -> tuple[float, float]:
        """(steps per second of all seeds, seconds that are left), as of a row that was shown."""
        elapsed, steps = self.rated - self.began, row["env_steps"] - self.first_steps
        return steps * cfg.num_runs / elapsed, elapsed * (cfg.env_steps - row["env_steps"]) / max(steps, 1)

    def _progress(self, cfg: Config) -> str:
        now, row = time.perf_counter(), self.row_shown
        share = (row["env_steps"] if row else self.first_steps) / cfg.env_steps
        symbols, filled = live.drawable("━─", "#."), int(BAR * share)
        bar = f"{symbols[0] * filled}{symbols[1] * (BAR - filled)} {share:4.0%}"
        if row is None:
            return f"{bar}  {live.clock(now - self.began)}"
        rate, left = self._pace(row, cfg)
        left = max(0.0, left - (now - self.rated))
        returns = "".join(
            f"  {self._heading(name)} {_number(row, name)}" for name in self.shown if name.startswith("return")
        )
        return f"{bar}  {live.clock(left)} left{returns}  {rate:,.0f} steps/s  {row['iteration']:,} iterations"

    def _line(self, cells: Sequence[str]) -> None:
        names = (*self.names, "steps/s", "time", "left")
        self.say("".join(f"{cell:>{max(WIDTH, len(name) + 2)}}" for cell, name in zip(cells, names, strict=True)))

    @staticmethod
    def _heading(name: str) -> str:
        return name.replace("_", " ")


def _number(row: Mapping[str, Any], name: str) -> str:
    """The mean over seeds."""
    return _told(_mean(row, name))


def _mean(row: Mapping[str, Any], name: str) -> float:
    """Over those that have one: a member of a population may have diverged."""
    values = np.asarray(row[name], float)
    return float(values[np.isfinite(values)].mean()) if np.isfinite(values).any() else np.nan


def _told(number: float) -> str:
    return f"{number:.4f}" if abs(number) < 1 else f"{number:.2f}"
