"""The three functions that a script or a notebook calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config, default_cfg
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner, TrainResult, train

__all__ = ["default_cfg", "evaluate", "train_wrapper"]


def train_wrapper(cfg: Config, run_dir: str | Path | None = None) -> TrainResult:
    """Train and evaluate what the config says, leaving everything in a new run folder (`runs/<task>-<time>`).

    Raises RunError if the folder exists or cannot be written, or if training diverges.
    """
    path = Path(run_dir) if run_dir else RunFolder.default_path(cfg.env.name)
    return train(cfg, RunFolder.create(path, cfg))


def evaluate(
    run: str | Path | TrainResult,
    episodes: int | None = None,
    episodes_mpe2: int | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """Evaluate a run's newest checkpoint, and write and return its `evaluation.json`.

    episodes: in our environment, episodes_mpe2: in the real mpe2, seed: of the episodes; each as in training if None.
    Raises RunError if `run` is not a run folder, CheckpointError if its checkpoint is damaged.
    """
    folder, cfg = RunFolder.open(run.run_dir if isinstance(run, TrainResult) else Path(run))
    folder.check_writable()
    asked = {"eval_episodes": episodes, "eval_episodes_mpe2": episodes_mpe2, "seed": seed}
    changed = cfg.replace({name: value for name, value in asked.items() if value is not None})
    runner = Runner(cfg, folder)
    state, _ = runner.load()
    return runner.evaluate(state, changed)
