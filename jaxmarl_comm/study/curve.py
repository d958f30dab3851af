"""How the runs of a program learned, chunk by chunk, and how many steps a level of return took them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm.envs.base import Env


class Curves(NamedTuple):
    """Of R runs, in C chunks. env_steps: `[C]`, per run, at each chunk's end. metrics: name -> `[C, R]`.

    diverged: `[R]` bool, whether a metric was not finite in any of the chunks.
    """

    env_steps: np.ndarray
    metrics: dict[str, np.ndarray]
    diverged: np.ndarray

    @classmethod
    def gather(cls, env_steps: Sequence[int], chunks: Sequence[Mapping[str, Any]]) -> Curves:
        """From what `compile_chunk`'s programs returned."""
        metrics = {name: np.stack([np.asarray(chunk[name]) for chunk in chunks]) for name in chunks[0]}
        first_bad = metrics.pop("first_bad")
        return cls(np.array(env_steps), metrics, np.any(first_bad >= 0, axis=0))

    def of(self, runs: slice) -> Curves:
        """Some of the runs."""
        return Curves(self.env_steps, {name: x[:, runs] for name, x in self.metrics.items()}, self.diverged[runs])

    def rows(self) -> list[dict[str, np.ndarray]]:
        """As metrics.jsonl would hold them, without the runs that diverged."""
        healthy = {name: x[:, ~self.diverged] for name, x in self.metrics.items()}
        return [{name: x[k] for name, x in healthy.items()} for k in range(len(self.env_steps))]

    def report(self, env: Env) -> dict[str, Any]:
        """`env_steps`, and each team's return in training: `mean` over healthy runs, and `of_each_seed`, `[R][C]`."""
        returns = {name: self.metrics[name] for name in env.per_team("return")}
        return {
            "env_steps": self.env_steps.tolist(),
            **{
                name: {"mean": mean_of_known(x[:, ~self.diverged]).tolist(), "of_each_seed": x.T.tolist()}
                for name, x in returns.items()
            },
        }

    def steps_to_level(self, env: Env, level: float) -> dict[str, Any]:
        """Environment steps until the training return first stays at or above the level to the end: `of_each_seed`.

        None for a run that never does, or diverges. Their `median` counts such runs as the slowest. reached: how many
        do. The return is that of the first team.
        """
        returns = self.metrics[env.per_team("return")[0]]
        each = [
            np.inf if diverged else self._first_to_stay(at_level)
            for diverged, at_level in zip(self.diverged, (returns >= level).T, strict=True)
        ]
        known = [int(steps) if np.isfinite(steps) else None for steps in each]
        median = float(np.quantile(each, 0.5, method="higher"))
        return {
            "level": level,
            "median": int(median) if np.isfinite(median) else None,
            "of_each_seed": known,
            "reached": sum(steps is not None for steps in known),
        }

    def _first_to_stay(self, at_level: np.ndarray) -> float:
        """From `[C]` bool."""
        below = np.flatnonzero(~at_level)
        first = below[-1] + 1 if below.size else 0
        return float(self.env_steps[first]) if first < len(at_level) else np.inf


def mean_of_known(values: np.ndarray) -> np.ndarray:
    """`[C, R]` -> `[C]`: the mean of those that are finite, NaN where none is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
