"""Weights & Biases while a run trains: a thread that reads metrics.jsonl, and for which training never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from jaxmarl_comm.config import Config
from jaxmarl_comm.interrupts import parting
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.suggest import one_line
from jaxmarl_comm.tracking.wandb_runs import WandbRuns, check_usable, export_wandb, mode, refusals

INTERVAL = 10.0  # seconds between looks at metrics.jsonl
PATIENCE = 60.0  # seconds at the end for what is still to be written or sent


Follow = Callable[[RunFolder, Config], AbstractContextManager[None]]


def follower(wandb: bool | str) -> Follow:
    """What is to be entered while a run trains, see `followed`; wandb: whether, or the name of the project.

    Raises RunError at once if Weights & Biases cannot be used.
    """
    if not wandb:
        return lambda folder, cfg: nullcontext()
    check_usable()
    return lambda folder, cfg: followed(folder, cfg, wandb if isinstance(wandb, str) else None)


@contextmanager
def followed(folder: RunFolder, cfg: Config, project: str | None) -> Iterator[None]:
    """While inside, the run is followed; what goes wrong with that is one line, and harms nothing of the run.

    Online, rows are sent as they come. Offline, where nobody can look before the end, all are written there; what was
    killed before that is made by an export, as of any run.
    """
    ended = threading.Event()
    again = f"the run itself is kept: export {folder.path} --to wandb does it again"

    def follow() -> None:
        try:
            if mode() == "online":
                send(folder, cfg, project, ended)
            elif ended.wait() and folder.read_metrics(cfg.num_seeds):
                print(export_wandb(folder.path, project), flush=True)
        except Exception as error:  # whatever a foreign package and its server do
            print(f"warning: not followed in Weights & Biases: {one_line(str(error))}; {again}", flush=True)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        with parting(f"stopped on the way to Weights & Biases; {again}"):
            thread.join(PATIENCE)
        if thread.is_alive():
            print(f"warning: Weights & Biases takes longer than {PATIENCE:.0f} s, and is left; {again}", flush=True)


def send(folder: RunFolder, cfg: Config, project: str | None, ended: threading.Event) -> None:
    """Rows as they come, and once more at the end. Raises RunError."""
    runs: WandbRuns | None = None
    with TemporaryDirectory() as where, refusals():
        last = False
        while not last:
            last = ended.wait(INTERVAL)
            if rows := folder.read_metrics(cfg.num_seeds):
                runs = runs or WandbRuns(folder, cfg, rows[0], Path(where), project)
                runs.write(rows)
        if runs:
            runs.close()
