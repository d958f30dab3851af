"""Films of what a run's folder holds."""

from __future__ import annotations

from jaxmarl_comm.config import Config
from jaxmarl_comm.film.shoot import Film, shoot
from jaxmarl_comm.memory import check_memory, playing_within_memory
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner
from jaxmarl_comm.saved import LATEST
from jaxmarl_comm.trees import unstack

EPISODES = 1_000  # of which those to be seen are chosen


def film_of(
    folder: RunFolder, cfg: Config, seed: int = 0, episodes: int = EPISODES, checkpoint: str | int = LATEST
) -> tuple[Film, int]:
    """(film of this seed as of a checkpoint: see `evaluate`; its iteration).

    Raises RunError, or ConfigError for episodes that do not fit into memory.
    """
    cfg = cfg.replace(eval_episodes=episodes)
    check_memory(cfg)
    runner = Runner(cfg, folder)
    teams, record = runner.load_teams(checkpoint)
    runner.console.say(f"playing {episodes:,} episodes of {folder.path}")
    with playing_within_memory(episodes):
        return shoot(cfg, runner.env, runner.algorithm, unstack(teams)[seed], episodes), record.iteration
