"""What a run tells its user while it goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env

WIDTH = 10  # of a column, at least


class Console:
    """Header, table and progress on standard output. Every line is also useful in a log file."""

    def __init__(self, shown: Sequence[str]) -> None:
        """shown: names of the metrics that have a column."""
        self.shown = tuple(shown)
        self.began = time.perf_counter()
        self.first_steps: int | None = None

    def say(self, line: str) -> None:
        print(line, flush=True)

    def header(self, cfg: Config, env: Env, folder: Path) -> None:
        """What is about to run, and where."""
        device = jax.devices()[0]
        seeds = f"{cfg.num_seeds} seed{'s' * (cfg.num_seeds > 1)}"
        agents = ", ".join(f"{len(where)} {group}" for group, where in env.groups.items())
        self.say(f"{cfg.algorithm} on {env.name} ({agents}), communication: {cfg.comm.preset}")
        self.say(
            f"{seeds} of {cfg.env_steps:,} env steps on {jax.device_count()} {device.platform} ({device.device_kind})"
        )
        for line in cfg.told(env):
            self.say(line)
        self.say(f"run folder {folder}")
        if cfg.comm.rounds and not cfg.channel(env).reaches_anyone:
            self.say(
                f"hint: nobody can hear anybody in {env.name} (comm.route: {cfg.comm.route}), so messages do nothing"
            )

    def start_table(self, env_steps: int) -> None:
        """Column names; rate and time left are counted from here."""
        self.began, self.first_steps = time.perf_counter(), env_steps
        self._line([*map(self._heading, ("iteration", "env_steps", *self.shown)), "steps/s", "left"])

    def row(self, row: Mapping[str, Any], cfg: Config) -> None:
        """One row of metrics.jsonl, means over seeds, and how fast it goes."""
        elapsed = time.perf_counter() - self.began
        steps = row["env_steps"] - (self.first_steps or 0)
        rate = steps * cfg.num_runs / elapsed
        left = elapsed * (cfg.env_steps - row["env_steps"]) / max(steps, 1)
        numbers = [float(np.mean(row[name])) for name in self.shown]
        cells = [f"{row['iteration']:,}", f"{row['env_steps'] / 1e6:.2f} M"]
        cells += [f"{number:.4f}" if abs(number) < 1 else f"{number:.2f}" for number in numbers]
        self._line([*cells, f"{rate:,.0f}", f"{int(left) // 60}:{int(left) % 60:02d}"])

    def _line(self, cells: Sequence[str]) -> None:
        names = ("iteration", "env_steps", *self.shown, "", "")
        self.say("".join(f"{cell:>{max(WIDTH, len(name) + 2)}}" for cell, name in zip(cells, names, strict=True)))

    @staticmethod
    def _heading(name: str) -> str:
        return name.replace("_", " ")
