"""Sides that compete: every good team against every adversary, trained or scripted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.crossing.entries import Entry, Kind, Trained, act_differently, learned, seeds_of
from jaxmarl_comm.crossing.payoffs import Cell, Payoffs, mean_returns, play_all, told
from jaxmarl_comm.crossing.standings import Side, of_run, standings
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.sides import scripted_actor, versus
from jaxmarl_comm.run_folder import RunError
from jaxmarl_comm.scripted import TOLD, sides_of

Array = jax.Array
ROWS, COLUMNS = 0, 1  # the teams that stand there


def cross_sides(batch: Batch, key: Array, runs: Sequence[Trained], tell: Callable[[str], None]) -> dict[str, Any]:
    """Rows, columns, what they return, how each does and is rated, and how the runs do. Raises RunError."""
    check_apart(runs)
    kinds, names = kinds_of(batch, runs), batch.env.team_names
    rows, columns = (
        [*seeds_of(runs, kinds, names[team]), *scripted_entries(batch.env, team)] for team in (ROWS, COLUMNS)
    )
    payoffs = play_all(rows, columns, duel(batch, key), tell)
    return told(batch.env, payoffs) | summary(batch.env, runs, rows, columns, payoffs)


def check_apart(runs: Sequence[Trained]) -> None:
    """Raises RunError unless all runs' sides can be taken apart, where they have two."""
    for run in runs:
        if run.cfg.comm.rounds and run.cfg.channel(run.env).crosses_teams:
            raise RunError(f"the sides of {run.path} cannot be split: its channel crosses teams (comm.route)")


def kinds_of(batch: Batch, runs: Sequence[Trained]) -> list[Kind]:
    """Of each run; the same one where one program acts for both."""
    kinds: list[Kind] = []
    for run in runs:
        alike = (kind for kind, earlier in zip(kinds, runs, strict=False) if not act_differently(earlier, run))
        kinds.append(next(alike, None) or learned(batch, run.env, run.algorithm))
    return kinds


def scripted_entries(env: Env, team: int) -> list[Entry]:
    """All scripted sides of a team, played by one program; those that are told more than they could know come last."""
    sides = sides_of(env, team)
    moves = list(sides.values())
    kind: Kind = lambda which: scripted_actor(env, lambda *seen: jax.lax.switch(which, moves, *seen))  # noqa: E731
    found = [Entry(name, None, None, name in TOLD, kind, jnp.array(k)) for k, name in enumerate(sides)]
    return sorted(found, key=lambda entry: entry.told)


def duel(batch: Batch, key: Array) -> Cell:
    """A good team against an adversary, in the episodes that `key` starts: a program for each pair of kinds."""

    @cache
    def program(*kinds: Kind) -> Any:
        def run(*params: Any) -> tuple[Array, Array]:
            sides = [kind(own) for kind, own in zip(kinds, params, strict=True)]
            return mean_returns(batch, versus(batch.env, sides), key)

        return jax.jit(run)

    return lambda row, column: program(row.kind, column.kind)(row.params, column.params)


def summary(
    env: Env, runs: Sequence[Trained], rows: Sequence[Entry], columns: Sequence[Entry], payoffs: Payoffs
) -> dict[str, Any]:
    """How each entry and each run does."""
    good = Side(rows, columns, payoffs.mean[..., ROWS])
    adversary = Side(columns, rows, payoffs.mean[..., COLUMNS].T)
    (of_rows, hardest_columns), (of_columns, hardest_rows) = standings(good), standings(adversary)
    hardest = zip(env.per_team("hardest_mixture"), (hardest_columns, hardest_rows), strict=True)
    return {"rows": of_rows, "columns": of_columns, **dict(hardest)} | {
        "runs": [run.described() | of_sides(env, run, (good, adversary)) for run in runs]
    }


def of_sides(env: Env, run: Trained, sides: tuple[Side, Side]) -> dict[str, Any]:
    """A run's estimates on both sides."""
    found = [of_run(run, side) for side in sides]
    return {env.per_team(measure)[team]: of[measure] for team, of in enumerate(found) for measure in of}
