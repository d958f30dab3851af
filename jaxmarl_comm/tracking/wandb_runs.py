"""The metrics of a run in Weights & Biases, made of metrics.jsonl as often as one likes. Only this file knows wandb.

Offline, unless WANDB_MODE says otherwise: files in the run folder, which `wandb sync` sends when it is told to.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxmarl_comm.config import Config
from jaxmarl_comm.files import RunError, discard
from jaxmarl_comm.run_folder import MAY_DIFFER, Row, RunFolder
from jaxmarl_comm.suggest import one_line
from jaxmarl_comm.tracking.logged import logged, make_again, scalars

EXTRA = "Weights & Biases needs wandb: pip install 'jaxmarl_comm[wandb]'"
PROJECT = "jaxmarl_comm"
QUIET = {  # no output of its own, nothing of the machine, no links
    "silent": True,
    "console": "off",
    "symlink": False,
    "disable_git": True,
    "disable_code": True,
    "disable_job_creation": True,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "x_save_requirements": False,
}


class WandbRuns:
    """One wandb run of each seed, all in one group. A row is logged once, however often it is given."""

    def __init__(self, folder: RunFolder, cfg: Config, first: Row, where: Path, project: str | None) -> None:
        """first: the first row of all, by which a run is told from others. where: a folder for wandb's own files."""
        import wandb

        ids = [run_id(cfg, first, seed) for seed in range(cfg.num_seeds)]
        common: dict[str, Any] = {
            "project": project_of(project),
            "group": f"{folder.path.resolve().name}-{ids[0]}",
            "dir": str(where),
            "mode": mode(),
            "resume": "allow" if mode() == "online" else None,  # where offline files are always of the whole run
            "reinit": "create_new",  # a notebook may have a run of its own
            "settings": wandb.Settings(**QUIET),
        }
        self.runs = [
            wandb.init(id=each, name=f"{folder.path.resolve().name}-seed_{seed}", config=config_of(cfg, seed), **common)
            for seed, each in enumerate(ids)
        ]
        self.next_steps = [run.starting_step for run in self.runs]

    def write(self, rows: Sequence[Row]) -> None:
        """Log those that are new, by env steps."""
        for seed, run in enumerate(self.runs):
            for row in rows:
                if row["env_steps"] >= self.next_steps[seed]:
                    run.log(scalars(row, seed), step=row["env_steps"])
                    self.next_steps[seed] = row["env_steps"] + 1

    def close(self) -> None:
        """Returns when all is written, or sent."""
        for run in self.runs:
            run.finish()


def export_wandb(run: Path, project: str | None = None) -> str:
    """All that a run has logged; the line that tells where it is.

    Offline, as `RUN/wandb`, in place of what is there; online, in the project, where nothing is logged twice.

    Raises RunError if `run` is not a run folder or has no metrics, if wandb is not installed or refuses, or if nothing
    can be written.
    """
    check_usable()
    folder, cfg, rows = logged(run)
    if mode() == "online":
        with TemporaryDirectory() as where:  # of what wandb keeps while it sends
            write_all(folder, cfg, rows, Path(where), project)
        return f"sent to project {project_of(project)} of Weights & Biases"

    def fill(draft: Path) -> None:
        write_all(folder, cfg, rows, draft, project)
        for each in (draft / "wandb").iterdir():
            discard(each / "logs")  # of wandb's own doings, with a link out of the run folder
            discard(each / "tmp")
            each.rename(draft / each.name)
        (draft / "wandb").rmdir()

    make_again(folder.wandb, fill)
    return f"written to {folder.wandb}; wandb sync {folder.wandb}/offline-run-* sends it"


def write_all(folder: RunFolder, cfg: Config, rows: Sequence[Row], where: Path, project: str | None) -> None:
    """Raises RunError."""
    with refusals():
        runs = WandbRuns(folder, cfg, rows[0], where, project)
        runs.write(rows)
        runs.close()


@contextmanager
def refusals() -> Iterator[None]:
    """What wandb raises as RunError, in one line."""
    import wandb

    try:
        yield
    except wandb.Error as error:
        raise RunError(f"Weights & Biases: {one_line(str(error))}") from None


def check_usable() -> None:
    """Raises RunError if wandb is not installed, if WANDB_MODE means nothing here, or if nobody is logged in online."""
    if find_spec("wandb") is None:
        raise RunError(EXTRA)
    if mode() not in ("online", "offline"):
        raise RunError(f"WANDB_MODE is '{mode()}', but must be offline (as without it) or online")
    if mode() == "online":
        import wandb

        with refusals():
            if not wandb.login(prompt=False, verify=False):
                raise RunError("WANDB_MODE is online, but nobody is logged in: wandb login")


def mode() -> str:
    """What the environment asks for; offline if nothing."""
    return os.environ.get("WANDB_MODE", "offline")


def project_of(project: str | None) -> str:
    """The project asked for, on the command line or in the environment."""
    return project or os.environ.get("WANDB_PROJECT") or PROJECT


def config_of(cfg: Config, seed: int) -> dict[str, Any]:
    """A run's settings, and which of its seeds this is."""
    return {**cfg.model_dump(mode="json"), "seed_index": seed}


def run_id(cfg: Config, first: Row, seed: int) -> str:
    """The same of the same run, resumed or copied, and no other's: it is of what it learns by, and its first row."""
    learned_by = {name: value for name, value in config_of(cfg, seed).items() if name not in MAY_DIFFER}
    content = json.dumps([learned_by, first], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
