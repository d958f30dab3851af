"""What became of the runs of a program: the short form of an evaluation, a row for each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation import information, worth
from jaxmarl_comm.evaluation.baselines import play_scripted, random_actor
from jaxmarl_comm.evaluation.communication import speaking
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.messages import traffic
from jaxmarl_comm.evaluation.own import in_own_units, judged
from jaxmarl_comm.evaluation.per_team import returns_of
from jaxmarl_comm.evaluation.plays import evaluation_key, player
from jaxmarl_comm.evaluation.stats import Estimate, over_seeds, without_intervals
from jaxmarl_comm.evaluation.verdict import differ_in_kind, formed, protocols, warnings
from jaxmarl_comm.study.config import Program
from jaxmarl_comm.study.curve import Curves

Row = dict[str, Any]


def judge(program: Program, env: Env, algorithm: Algorithm, teams: Any, untrained: Any, curves: Curves) -> list[Row]:
    """A row for each value: estimates over seeds of return, success, what messages tell and cost, and when muted.

    teams, untrained: `[values * seeds, ...]`. All play the same episodes, with whatever noise and loss they were
    trained with. Seeds that diverged are left out of every estimate, and have formed no protocol.
    """
    cfg = program.cfg
    batch, key = Batch(env, cfg.eval_episodes), evaluation_key(cfg)
    play_seeds = player(cfg, batch, algorithm, key)
    greedy, muted, before = play_seeds(teams, "greedy"), play_seeds(teams, "muted"), play_seeds(untrained, "greedy")
    random, rows = play_scripted(batch, random_actor(env), key), []
    of_values = [curves.of(slice(k * cfg.num_seeds, (k + 1) * cfg.num_seeds)) for k in range(len(program.cfgs))]
    healthy = [k * cfg.num_seeds + np.flatnonzero(~own.diverged) for k, own in enumerate(of_values)]
    task_says = judged(env, batch, key, *(some(greedy, seeds) for seeds in healthy))
    for of_value, own, seeds, said in zip(program.cfgs, of_values, healthy, task_says, strict=True):
        played = (some(greedy, seeds), some(muted, seeds), some(before, seeds))
        rows.append(_row(of_value, env, *played, random, own, said))
    return rows


def some(episodes: Episodes, seeds: np.ndarray) -> Episodes:
    """The episodes of these seeds."""
    return jax.tree.map(lambda x: x[seeds], episodes)


def _row(
    cfg: Config,
    env: Env,
    greedy: Episodes,
    muted: Episodes,
    untrained: Episodes,
    random: Episodes,
    curves: Curves,
    task_says: Mapping[str, Estimate],
) -> Row:
    """Episodes: of the seeds that did not diverge, and of a random team. task_says: see `judged`."""
    messages, bits = traffic(cfg, env, greedy)
    found: Row = worth(env, greedy) | dict(task_says) | returns_of(env, muted.returns, "return_muted")
    found |= information(speaking(cfg, env, greedy))
    found |= {"messages_per_step": over_seeds(messages / env.max_cycles, least=0)}
    found |= {"bits_per_step": over_seeds(bits / env.max_cycles, least=0)}
    before = worth(env, untrained) | information(speaking(cfg, env, untrained))
    who_formed = formed(cfg, env, greedy)
    found = without_intervals(found) if differ_in_kind(who_formed) else found
    return {
        **{name: with_gaps(each, curves.diverged) for name, each in found.items()},
        "untrained": {name: with_gaps(each, curves.diverged) for name, each in before.items()},
        "measured": [*in_own_units(env, greedy.returns), *task_says],
        **protocols(who_formed, cfg.num_seeds),
        "diverged": int(curves.diverged.sum()),
        "interval_over": "seeds" if len(greedy.returns) > 1 else "episodes",
        "warnings": [*_lost(curves), *warnings(env, greedy, untrained, random, who_formed, None, curves.rows())],
    }


def _lost(curves: Curves) -> list[str]:
    lost, all_seeds = int(curves.diverged.sum()), len(curves.diverged)
    return [f"{lost} of {all_seeds} seeds diverged and are left out; try a lower lr"] if lost else []


def with_gaps(found: Any, missing: np.ndarray) -> Any:
    """An estimate over the seeds that are not missing (`[seeds]` bool), with None for each that is."""
    each = iter(found["of_each_seed"])
    return {**found, "of_each_seed": [None if gone else next(each, None) for gone in missing]}
