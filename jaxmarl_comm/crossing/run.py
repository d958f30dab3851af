"""Crossing runs from their folders, into a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxmarl_comm.config import Config
from jaxmarl_comm.crossing.competing import cross_sides
from jaxmarl_comm.crossing.entries import load_runs
from jaxmarl_comm.crossing.strangers import cross_strangers
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.plays import evaluation_key
from jaxmarl_comm.files import create_folder
from jaxmarl_comm.memory import check_memory, playing_within_memory
from jaxmarl_comm.report.crossplay import crossplay_table
from jaxmarl_comm.report.heat_map import plot_crossplay
from jaxmarl_comm.run_folder import RunFolder, check_free, next_free, without_nan

RESULTS, PICTURE = "crossplay.json", "crossplay.png"


def run_crossplay(
    paths: Sequence[Path],
    episodes: int,
    seed: int | None,
    output: Path | None,
    tell: Callable[[str], None] = print,
) -> dict[str, Any]:
    """See `api.crossplay`. Prints a table, too."""
    first, cfg = RunFolder.open(paths[0])
    cfg = cfg.replace({"eval_episodes": episodes} | ({} if seed is None else {"seed": seed}))
    check_memory(cfg)
    check_free(output or next_free(first.path, "crossplay"))
    with playing_within_memory(episodes):
        found = without_nan(cross(cfg, paths, tell))
    tell(crossplay_table(found))
    folder = output or next_free(first.path, "crossplay")
    create_folder(folder, {RESULTS: json.dumps(found, indent=2) + "\n"})
    plot_crossplay(found, folder / PICTURE)
    tell(f"written to {folder}")
    return found


def cross(cfg: Config, paths: Sequence[Path], tell: Callable[[str], None]) -> dict[str, Any]:
    """What crossplay.json holds. cfg: of the first run, with the episodes to play."""
    runs = load_runs(paths, tell)
    task = make_env(cfg.env.name, **cfg.env.arguments)
    names = task.team_names
    head: dict[str, Any] = {"task": cfg.env.name, "arguments": cfg.env.arguments, "teams": list(names)}
    head |= {"episodes": cfg.eval_episodes, "seed": cfg.seed}
    key = evaluation_key(cfg)
    if len(names) > 1:
        return head | cross_sides(Batch(task, cfg.eval_episodes), key, runs, tell)
    return head | cross_strangers(Batch(cfg.make_env(), cfg.eval_episodes), key, runs, tell)
