"""What every row returns with every column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.crossing.entries import Entry
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import CLEAR, Actor, play
from jaxmarl_comm.run_folder import RunError

Array = jax.Array

Cell = Callable[[Entry, Entry], tuple[Array, Array]]
"""(row, column) -> what `mean_returns` says of them."""


class Payoffs(NamedTuple):
    """Of R rows, C columns and T teams, `[R, C, T]` each. mean: over episodes. error: its standard error."""

    mean: np.ndarray
    error: np.ndarray


def mean_returns(batch: Batch, actor: Actor, key: Array) -> tuple[Array, Array]:
    """`[T]` each: returns (undiscounted, means over a team's agents) in the episodes that `key` starts, and their
    standard errors."""
    returns = play(batch, actor, key, treatment=jnp.array(CLEAR), hears_words=False).returns
    return returns.mean(axis=0), returns.std(axis=0, ddof=1) / batch.num_envs**0.5


def play_all(rows: Sequence[Entry], columns: Sequence[Entry], cell: Cell, tell: Callable[[str], None]) -> Payoffs:
    """Every row with every column, one after the other. Raises RunError if a return is not finite."""
    found = []
    for k, row in enumerate(rows, start=1):
        tell(f"playing {row.name} with {len(columns)} others ({k} of {len(rows)})")
        found.append([jax.device_get(cell(row, column)) for column in columns])
    payoffs = Payoffs(*np.moveaxis(np.array(found, float), 2, 0))
    if (bad := ~np.isfinite(payoffs.mean).all(axis=-1)).any():
        row, column = np.argwhere(bad)[0]
        raise RunError(f"what {rows[row].name} returns with {columns[column].name} is not finite: one of them diverged")
    return payoffs


def told(env: Env, payoffs: Payoffs) -> dict[str, Any]:
    """The matrices themselves, of each team, and how far chance may have moved their cells."""
    returns, errors = (env.per_team(measure) for measure in ("return", "largest_standard_error"))
    found: dict[str, Any] = {name: payoffs.mean[..., team].tolist() for team, name in enumerate(returns)}
    return found | {name: float(payoffs.error[..., team].max()) for team, name in enumerate(errors)}
