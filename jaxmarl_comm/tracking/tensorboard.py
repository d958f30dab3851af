"""The metrics of a run as files for TensorBoard, made of metrics.jsonl as often as one likes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jaxmarl_comm.files import RunError
from jaxmarl_comm.run_folder import Row
from jaxmarl_comm.tracking.logged import logged, make_again, scalars

EXTRA = "TensorBoard's files need tensorboardX: pip install 'jaxmarl_comm[tensorboard]'"


def export_tensorboard(run: Path) -> Path:
    """`RUN/tensorboard`, in place of what is there: a folder for each seed, and `mean` of all, whose step is env steps.

    Raises RunError if `run` is not a run folder or has no metrics, if tensorboardX is not installed, or if nothing can
    be written.
    """
    folder, cfg, rows = logged(run)
    return make_again(folder.tensorboard, lambda draft: write_events(draft, rows, cfg.num_seeds))


def write_events(folder: Path, rows: Sequence[Row], num_seeds: int) -> None:
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
