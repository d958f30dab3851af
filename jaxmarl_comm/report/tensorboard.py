"""The metrics of a run as files for TensorBoard, made of metrics.jsonl as often as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxmarl_comm.files import RunError, discard, draft_of
from jaxmarl_comm.run_folder import RunFolder

EXTRA = "TensorBoard's files need tensorboardX: pip install 'jaxmarl_comm[tensorboard]'"


def export_tensorboard(run: Path) -> Path:
    """`RUN/tensorboard`, in place of what is there: a folder for each seed, and `mean` of all, whose step is env steps.

    Raises RunError if `run` is not a run folder or has no metrics, if tensorboardX is not installed, or if nothing can
    be written.
    """
    folder, cfg = RunFolder.open(run)
    rows = folder.read_metrics(cfg.num_seeds)
    if not rows:
        raise RunError(f"{run} has no metrics yet")
    draft = draft_of(folder.tensorboard)
    try:
        write_events(draft, rows, cfg.num_seeds)
        discard(folder.tensorboard)
        draft.rename(folder.tensorboard)
    except OSError as error:
        raise RunError(f"cannot write {folder.tensorboard}: {error.strerror}") from None
    finally:
        discard(draft)
    return folder.tensorboard


def write_events(folder: Path, rows: Sequence[dict[str, Any]], num_seeds: int) -> None:
    """`seed_0` and so on, and `mean` where there are several seeds; values that are not known are left out."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise RunError(EXTRA) from None
    curves = {f"seed_{k}": k for k in range(num_seeds)} | ({"mean": slice(None)} if num_seeds > 1 else {})
    for name, which in curves.items():
        with SummaryWriter(str(folder / name)) as writer:
            for row in rows:
                for metric, value in scalars(row, which).items():
                    writer.add_scalar(metric, value, row["env_steps"])


def scalars(row: dict[str, Any], which: int | slice) -> dict[str, float]:
    """The finite numbers of one row, of a seed or the mean over these."""
    found = {}
    for name, values in row.items():
        if isinstance(values, list):
            numbers = np.array([np.nan if x is None else x for x in values], float)[which]
            if np.isfinite(numbers).all():
                found[name] = float(np.mean(numbers))
    return found
