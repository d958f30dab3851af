"""What became of the runs of a program: the short form of an evaluation, a row for each value."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation import FORMED_SCORE, play_all
from jaxmarl_comm.evaluation.baselines import LADDERS
from jaxmarl_comm.evaluation.messages import message_statistics, traffic
from jaxmarl_comm.evaluation.stats import estimate, over_seeds
from jaxmarl_comm.study.config import Program

Row = dict[str, Any]


def judge(program: Program, env: Env, algorithm: Algorithm, teams: Any) -> list[Row]:
    """A row for each value: estimates over seeds of return, success, what messages tell and cost, and when muted.

    teams: `[values * seeds, ...]`. All play the same episodes, with whatever noise and loss they were trained with.
    """
    cfg = program.cfg
    batch, key = Batch(env, cfg.eval_episodes), jax.random.fold_in(jax.random.key(cfg.seed), 1)
    runs = play_all(cfg, batch, algorithm, teams, key)
    rows = []
    for k, of_value in enumerate(program.cfgs):
        seeds = slice(k * cfg.num_seeds, (k + 1) * cfg.num_seeds)
        greedy, muted = (jax.tree.map(lambda x, s=seeds: x[s], runs[name]) for name in ("greedy", "muted"))
        messages, bits = traffic(of_value, env, greedy)
        score = LADDERS[env.name].score(greedy.returns.mean(axis=1)) if env.name in LADDERS else None
        rows.append(
            {
                "return": over_seeds(greedy.returns),
                "success": over_seeds(greedy.success),
                "return_muted": over_seeds(muted.returns),
                "message_information": estimate(message_statistics(of_value, env, greedy)["message_information"]),
                "messages_per_step": over_seeds(messages / env.max_cycles),
                "bits_per_step": over_seeds(bits / env.max_cycles),
                "protocol_fraction": None if score is None else float(np.mean(score > FORMED_SCORE)),
                "return_of_each_seed": greedy.returns.mean(axis=1).tolist(),
            }
        )
    return rows
