"""What a run has logged, for those who show it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxmarl_comm.config import Config
from jaxmarl_comm.files import RunError, discard, draft_of
from jaxmarl_comm.run_folder import Row, RunFolder


def logged(run: Path) -> tuple[RunFolder, Config, list[Row]]:
    """A run's folder, config and rows of metrics, of which there is one at least. Raises RunError."""
    folder, cfg = RunFolder.open(run)
    rows = folder.read_metrics(cfg.num_seeds)
    if not rows:
        raise RunError(f"{run} has no metrics yet")
    return folder, cfg, rows


def scalars(row: Row, which: int | slice) -> dict[str, float]:
    """The finite numbers of one row, of a seed or the mean over these."""
    found = {}
    for name, values in row.items():
        if isinstance(values, list):
            numbers = np.array([np.nan if x is None else x for x in values], float)[which]
            if np.isfinite(numbers).all():
                found[name] = float(np.mean(numbers))
    return found


def make_again(target: Path, fill: Callable[[Path], Any]) -> Path:
    """A folder that `fill` puts files into, in place of what has this name; `target`. Raises RunError."""
    draft = draft_of(target)
    try:
        draft.mkdir()
        fill(draft)
        discard(target)
        draft.rename(target)
    except OSError as error:
        raise RunError(f"cannot write {target}: {error.strerror}") from None
    finally:
        discard(draft)
    return target
