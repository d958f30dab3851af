"""What follows from an evaluation: did a seed form a protocol, and what should its reader be warned of?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.messages import speakers_of
from jaxmarl_comm.evaluation.stats import Estimate, student, wilson

FORMED_SCORE = 0.5  # a team that stands halfway from silent to oracle must have told something
LEAPING_KL = 0.1  # nats; a healthy update of PPO moves a policy by a tenth of that, or less
RIGID_ENTROPY = 0.05  # nats
LAST_ROWS = 5


def score(env: Env, greedy: Episodes) -> np.ndarray:
    """`[seeds, E]`: where each episode stands from the best silent team, 0, to the oracle, 1; NaN where unknown."""
    returns = greedy.returns[..., 0]
    return env.ladder.score(returns) if env.ladder else np.full_like(returns, np.nan)


def formed(cfg: Config, env: Env, greedy: Episodes) -> np.ndarray | None:
    """`[seeds]` bool: whether each one's greedy episodes `[seeds, E, ...]` show a protocol.

    None where that is undefined: nobody can send anything, nobody has a private goal to tell, or the best silent team's
    return is not known. A seed that sends nothing has formed none, whatever its return.
    """
    ladder = env.ladder
    if not (speakers_of(cfg, env) and env.num_goals and ladder) or ladder.silent is None:
        return None
    return (score(env, greedy).mean(axis=1) > FORMED_SCORE) & (greedy.num_sent.sum(axis=(1, 2)) > 0)


def protocols(who_formed: np.ndarray | None, num_seeds: int) -> dict[str, Any]:
    """`protocol_fraction` of all seeds, also those that diverged, and its `protocol_interval`, Wilson's."""
    if who_formed is None:
        return {"protocol_fraction": None, "protocol_interval": None}
    num_formed = int(who_formed.sum())
    return {"protocol_fraction": num_formed / num_seeds, "protocol_interval": list(wilson(num_formed, num_seeds))}


def differ_in_kind(who_formed: np.ndarray | None) -> bool:
    """Whether some seeds, but not all, formed a protocol: then their mean describes none of them."""
    return who_formed is not None and bool(0 < who_formed.sum() < who_formed.size)


def warnings(
    env: Env,
    greedy: Episodes,
    untrained: Episodes,
    random: Episodes,
    who_formed: np.ndarray | None,
    value_of_talk: Estimate | None,
    rows: Sequence[Mapping[str, Any]],
) -> list[str]:
    """Sentences about seeds that collapsed, learned nothing or differ in kind, and about talk that costs.

    greedy, untrained: `[seeds, E, ...]`, and random: `[1, E, ...]`, a scripted team's, of the same episodes.
    value_of_talk: None where there is none, or where sides compete: if both fall silent, one must lose by it. rows: of
    metrics.jsonl, as far as there are.
    """
    gained = learned(env, greedy, untrained, random)
    found = [*_leaps(env, rows), *_rigid(env, rows, gained)]
    if not gained.all():
        found.append(f"{_seeds(~gained)} did not learn: greedy returns are not above an untrained and a random team's")
    if who_formed is not None and differ_in_kind(who_formed):
        each = ", ".join(f"{x:.2f}" for x in greedy.returns[..., 0].mean(axis=1))
        found.append(
            f"seeds differ in kind: {who_formed.sum()} of {who_formed.size} formed a protocol, so their mean describes "
            f"none of them and has no interval; return of each seed: {each}"
        )
    if value_of_talk is not None and value_of_talk["high"] is not None and value_of_talk["high"] < 0:
        found.append("the value of talk is negative: a trained silent team returns more than this one")
    return found


def learned(env: Env, greedy: Episodes, untrained: Episodes, random: Episodes) -> np.ndarray:
    """`[seeds]` bool: whether greedy returns are above the untrained and the random team's on the same episodes, by
    more than chance.

    True where sides compete: against an opponent that has learned, too, a team need not return more than before.
    """
    returns = greedy.returns[..., 0]
    if len(env.team_names) > 1 or returns.shape[1] < 2:
        return np.ones(len(returns), bool)
    gains = [returns - others.returns[..., 0] for others in (untrained, random)]
    return np.array([all(student(gain)[0] > 0 for gain in of_seed) for of_seed in zip(*gains, strict=True)], bool)


def _leaps(env: Env, rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for name in env.per_team("approx_kl"):
        kl = _at_the_end(rows, name)
        if (kl > LEAPING_KL).any():
            yield (
                f"{_seeds(kl > LEAPING_KL)}: {name} is {kl.max():.2g} nats at the end, where PPO's updates stay far "
                f"below {LEAPING_KL}: training may have collapsed; try a lower lr"
            )


def _rigid(env: Env, rows: Sequence[Mapping[str, Any]], gained: np.ndarray) -> Iterator[str]:
    """Discrete actions only: a density's entropy has no such floor. Where sides compete, a leap tells of it."""
    compete = len(env.team_names) > 1
    for name, of_leap in zip(env.per_team("entropy"), env.per_team("approx_kl"), strict=True):
        entropy, kl = _at_the_end(rows, name), _at_the_end(rows, of_leap)
        if env.continuous_actions or not entropy.shape == kl.shape == gained.shape:
            continue
        rigid = (entropy < RIGID_ENTROPY) & (kl > LEAPING_KL if compete else ~gained)
        if rigid.any():
            fell = f"{name} fell to {entropy[rigid].min():.2g} nats"
            yield f"{_seeds(rigid)} collapsed: {fell} {'in leaps' if compete else 'before anything was learned'}"


def _at_the_end(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """`[seeds]`: the mean of a metric over the last rows that hold it; empty if none does."""
    known = [row[name] for row in rows if name in row][-LAST_ROWS:]
    return np.array(known, float).mean(axis=0) if known else np.zeros(0)


def _seeds(which: np.ndarray) -> str:
    """`seed 0`, `seeds 1, 3`; `the team` if there is but one seed."""
    numbers = np.flatnonzero(which)
    if which.size == 1:
        return "the team"
    return ("seed " if numbers.size == 1 else "seeds ") + ", ".join(map(str, numbers))
