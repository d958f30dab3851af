"""What a trained team is worth, whether it talks, whether anyone listens, and whether that pays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.algorithms import Algorithm
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.communication import on_bad_channels, speaking
from jaxmarl_comm.evaluation.control import Control, compare, inequalities
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.messages import message_statistics, message_tables
from jaxmarl_comm.evaluation.own import in_own_units, judged
from jaxmarl_comm.evaluation.per_team import returns_of, successes_of
from jaxmarl_comm.evaluation.plays import TREATMENTS, Player, player
from jaxmarl_comm.evaluation.reference import play_reference
from jaxmarl_comm.evaluation.stats import Estimate, over_seeds, without_intervals
from jaxmarl_comm.evaluation.verdict import differ_in_kind, formed, protocols, score, warnings
from jaxmarl_comm.evaluation.yardsticks import Yardsticks
from jaxmarl_comm.meanwhile import Meanwhile

Array = jax.Array
Evaluation = dict[str, Any]
QUICK_EPISODES = 1_000  # enough to see a curve: a return is known to about 0.1


def evaluate_teams(
    yardsticks: Yardsticks,
    teams: Any,
    tell: Callable[[str], None] = print,
    *,
    control: Control | None = None,
    rows: Sequence[Mapping[str, Any]] = (),
) -> Evaluation:
    """Evaluate the teams of all seeds (a leading axis on every parameter) on the same episodes.

    yardsticks: of the config, task and algorithm in question. control: a trained silent team. rows: of metrics.jsonl,
    in which training is searched for signs of collapse.

    Returns estimates (see `Estimate`) of: return, return_sampled, return_muted, return_shuffled, return_reference,
    success (each for every team), final_distance, score; what `Env.measures` and `Env.judge` say, whose names are
    `measured`; what `speaking`, `exchange_meter` and `on_bad_channels` say; scripted teams' returns under `baselines`;
    under `untrained`, what initial parameters make of it; what `compare` says of a control; the fraction of seeds that
    formed a protocol; `warnings`. Where seeds differ in kind, means of them have no interval. All but return_sampled
    act greedily.
    """
    cfg, env, batch, key = yardsticks.cfg, yardsticks.env, yardsticks.batch, yardsticks.key
    # In Python, while this thread is mostly in compiled programs.
    reference = Meanwhile(partial(play_reference, cfg, env, yardsticks.algorithm, teams))
    runs = play_treatments(
        yardsticks.play_seeds, teams, lambda name: tell(f"evaluating {cfg.eval_episodes:,} episodes: {name}")
    )
    greedy = runs["greedy"]
    tell("evaluating the untrained team" + (" and the silent control" if control else ""))
    before, spoken_before, exchanged_before, scripted = yardsticks.measured()
    compared = compare(env, batch, key, greedy, control)
    who_formed, value = formed(cfg, env, greedy), compared.get("value_of_talk")
    tell("evaluating what the task itself can say")
    own, own_before, *own_scripted = judged(env, batch, key, greedy, before, *scripted.values())
    exchanged = yardsticks.exchange(teams, tell)
    on_bad = on_bad_channels(env, yardsticks.on_bad_channel, teams, tell)
    # All else that is to be reckoned comes before what the reference has to be waited for.
    spoken, message_table = speaking(cfg, env, greedy), message_tables(cfg, env, greedy)
    if env.reference and cfg.eval_episodes_reference:
        tell(f"evaluating in the real {env.reference} on {cfg.eval_episodes_reference:,} episodes")
    team = {
        **worth(env, greedy),
        **own,
        **returns_when_treated(env, runs),
        **returns_of(env, reference.result(), "return_reference"),
        "final_distance": over_seeds(greedy.distance, least=0),
        "score": over_seeds(score(env, greedy)),
        **spoken,
        **exchanged,
        **on_bad,
        **{name: found for name, found in compared.items() if name != "control"},
    }
    return {
        **(without_intervals(team) if differ_in_kind(who_formed) else team),
        "message_table": message_table,
        "measured": [*in_own_units(env, greedy.returns), *own],
        "untrained": worth(env, before) | own_before | information(spoken_before) | exchanged_before,
        "control": compared["control"],
        "baselines": {
            name: worth(env, episodes) | found
            for (name, episodes), found in zip(scripted.items(), own_scripted, strict=True)
        },
        "ladder": env.ladder and env.ladder._asdict(),
        **protocols(who_formed, cfg.num_seeds),
        "warnings": [
            *warnings(env, greedy, before, scripted["random"], who_formed, value, rows),
            *inequalities(cfg, control),
        ],
        **conditions(cfg, env, len(greedy.returns)),
    }


def play_treatments(play_seeds: Player, teams: Any, tell: Callable[[str], None]) -> dict[str, Episodes]:
    """The same episodes under each of TREATMENTS, whose name is told first."""
    runs = {}
    for name in TREATMENTS:
        tell(name)
        runs[name] = play_seeds(teams, name)
    return runs


def returns_when_treated(env: Env, runs: Mapping[str, Episodes]) -> dict[str, Estimate]:
    """return_sampled, return_muted and return_shuffled of every team."""
    treated = [returns_of(env, runs[name].returns, f"return_{name}") for name in ("sampled", "muted", "shuffled")]
    return {name: found for each in treated for name, found in each.items()}


def conditions(cfg: Config, env: Env, num_seeds: int) -> dict[str, Any]:
    """Under what conditions an evaluation was made."""
    return {
        "teams": list(env.team_names),
        "arguments": cfg.env.arguments,
        "interval_over": "seeds" if num_seeds > 1 else "episodes",
        "episodes": cfg.eval_episodes,
        "episodes_reference": cfg.eval_episodes_reference,
        "seed": cfg.seed,
    }


def worth(env: Env, greedy: Episodes) -> dict[str, Estimate]:
    """`return` and `success` of every team, and what the return is in the task's own units."""
    return returns_of(env, greedy.returns) | in_own_units(env, greedy.returns) | successes_of(env, greedy.success)


def information(said: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """What messages tell, of all that `speaking` finds."""
    return {name: found for name, found in said.items() if name.startswith("message_information")}


def quick_evaluator(cfg: Config, env: Env, algorithm: Algorithm) -> Callable[[Any], dict[str, np.ndarray]]:
    """A function from the teams of all seeds to how they do in greedy episodes, `[seeds]` each.

    eval_return and eval_success of each team; eval_message_information where agents know a private goal and send
    something.
    """
    batch = Batch(env, min(QUICK_EPISODES, cfg.eval_episodes))
    key = jax.random.fold_in(jax.random.key(cfg.seed), 2)
    play_seeds = player(cfg, batch, algorithm, key)

    def measure(teams: Any) -> dict[str, np.ndarray]:
        greedy = play_seeds(teams, "greedy")
        returns, success = greedy.returns.mean(axis=1), greedy.success.mean(axis=1)
        found = {name: returns[:, team] for team, name in enumerate(env.per_team("eval_return"))}
        found |= {name: success[:, team] for team, name in enumerate(env.per_team("eval_success"))}
        told = message_statistics(cfg, env, greedy)["message_information"] if env.num_goals else np.zeros(0)
        return found | {"eval_message_information": told} if told.size else found

    return measure
