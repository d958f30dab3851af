"""What a run's folder says of it, checked: a page is made of this, and of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from jaxmarl_comm.checkpoint_record import newest_record
from jaxmarl_comm.config import Config, ConfigError
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.repeat import trained_as
from jaxmarl_comm.report.found import Evaluated, Found
from jaxmarl_comm.results.record import damaged, read_object
from jaxmarl_comm.run_folder import RunFolder

Row = dict[str, Any]


class Seen(NamedTuple):
    """A run. trained: see `trained_as`. judged: the task in which it was evaluated, `env` but for arguments.

    rows: of metrics.jsonl. clock: iteration -> seconds of training until then. evaluated: None before it was, and since
    it went on. versions: of what trained it, as far as known.
    """

    name: str
    cfg: Config
    trained: Config
    env: Env
    judged: Env
    rows: list[Row]
    clock: dict[int, float]
    evaluated: Evaluated | None
    versions: dict[str, str]

    def found(self, measure: str) -> Found | None:
        """The estimate of a measure, if it is defined."""
        return self.evaluated.found.get(measure) if self.evaluated else None

    def before(self, measure: str) -> Found | None:
        """The same of the untrained team."""
        return self.evaluated.untrained.get(measure) if self.evaluated else None

    @property
    def pace(self) -> float | None:
        """Seconds of training for each environment step of each seed, all seeds at once; None where nobody told."""
        if self.evaluated is None or not self.evaluated.env_steps:
            return None
        return self.evaluated.seconds.get("train", 0.0) / self.evaluated.env_steps or None

    @property
    def other_arguments(self) -> dict[str, Any]:
        """Arguments of the task in its evaluation that are others than in the run."""
        return self.cfg.other_arguments((self.evaluated.arguments if self.evaluated else None) or {})

    @property
    def done(self) -> int:
        """Iterations of which there are metrics."""
        return self.rows[-1]["iteration"] if self.rows else 0


def read_run(path: Path, evaluation: Path | None = None) -> Seen:
    """A run, finished or not, with this evaluation of it, its own if None.

    Raises RunError if `path` is no run folder, or its evaluation is damaged.
    """
    folder, cfg = RunFolder.open(path)
    env, record = cfg.make_env(), newest_record(folder.checkpoints)
    rows, file = folder.read_metrics(cfg.num_seeds), evaluation or folder.evaluation
    evaluated = read_evaluated(file, env) if file.exists() else None
    if evaluation is None and evaluated and rows and evaluated.iteration not in (None, rows[-1]["iteration"]):
        evaluated = None  # it went on since, and its answers may be others now
    return Seen(
        name=path.resolve().name,
        cfg=cfg,
        trained=trained_as(folder.path),
        env=env,
        judged=judged_in(cfg, evaluated.arguments, file) if evaluated and evaluated.arguments else env,
        rows=rows,
        clock=folder.read_clock(),
        evaluated=evaluated,
        versions=record.versions if record else {},
    )


def judged_in(cfg: Config, arguments: dict[str, Any], file: Path) -> Env:
    """The task with the arguments that an evaluation of a run had. Raises RunError if they cannot be."""
    try:
        return cfg.judged_with(arguments).make_env()
    except ConfigError:
        raise damaged(file) from None


def read_evaluated(path: Path, env: Env) -> Evaluated:
    """Raises RunError if it is damaged, or of another task."""
    content = read_object(path)
    try:
        if content["teams"] != list(env.team_names):
            raise ValueError("other teams")
        return Evaluated.of(content, env.team_names)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise damaged(path) from None
