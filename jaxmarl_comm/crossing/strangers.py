"""Teams that cooperate: do agents who were not trained together understand each other?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.crossing.entries import Entry, Kind, Trained, act_differently, learned, seeds_of
from jaxmarl_comm.crossing.familiarity import lost_with_strangers, with_partner, with_strangers
from jaxmarl_comm.crossing.mixing import first_agents, mixed, per_agent, split_groups
from jaxmarl_comm.crossing.payoffs import Cell, Payoffs, mean_returns, play_all, told
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.nets.growth import SHAPE
from jaxmarl_comm.run_folder import RunError

Array = jax.Array

SAID = ("message_dim", "bits", "noise", "loss", "bit_flip")
"""What a team of two cannot have two of: see `Numbers`. The temperature is nothing to those who act greedily."""


def cross_strangers(batch: Batch, key: Array, runs: Sequence[Trained], tell: Callable[[str], None]) -> dict[str, Any]:
    """Rows, whose seed acts for some agents, and columns, whose seed acts for the others. Raises RunError."""
    check_meet(batch.env, runs)
    entries = apart(batch, runs)
    check_messages(entries)
    check_shapes(batch.env, entries)
    payoffs = play_all(entries, entries, meeting(batch, key), tell)
    return told(batch.env, payoffs) | summary(batch.env, runs, entries, payoffs)


def check_meet(env: Env, runs: Sequence[Trained]) -> None:
    """Raises RunError unless there are strangers, who can act in one team."""
    for run in runs[1:]:
        if differing := act_differently(runs[0], run):
            raise RunError(
                f"strangers need the same networks and channel, but {run.path} differs from {runs[0].path} in "
                f"{', '.join(differing)}"
            )
    if env.num_agents == 1:
        raise RunError(f"there is nothing to cross: {env.name} has one agent, who needs nobody")
    if sum(len(run.teams) for run in runs) == 1:
        raise RunError(f"there is nothing to cross: one seed knows no strangers; train {runs[0].name} with more")


def check_messages(entries: Sequence[Entry]) -> None:
    """Raises RunError where strangers' messages are of another kind, as seeds of populations may have come to."""
    for name in SAID:
        found = {float(getattr(entry.params.numbers, name)) for entry in entries}
        if len(found) > 1:
            told = " and ".join(f"{x:g}" for x in sorted(found))
            raise RunError(f"strangers need messages of one kind, but these have come to comm.{name} {told}")


def check_shapes(env: Env, entries: Sequence[Entry]) -> None:
    """Raises RunError where agents of one group meet whose networks have grown to other layers or activations."""
    for group in split_groups(env, first_agents(env)):
        shapes = [entry.params.params["params"].get(group + SHAPE, {}) for entry in entries]
        found = {(float(shape["layers"]), *map(float, shape["activation"])) for shape in shapes if shape}
        if len(found) > 1:
            raise RunError(
                f"strangers of one group need networks alike, but those of {group} have come to other layers or "
                "activations"
            )


def apart(batch: Batch, runs: Sequence[Trained]) -> list[Entry]:
    """An entry for each seed of each run, with parameters for each agent, where like agents shared them."""
    cfg = runs[0].cfg.model_copy(update={"share_params": False})  # unchecked: who was told who it is still is
    algorithm = make_algorithm(cfg, batch.env)
    like = jax.eval_shape(lambda key: algorithm.team(algorithm.init(key)), jax.random.key(0))
    entries = seeds_of(runs, [learned(batch, batch.env, algorithm)] * len(runs))
    return [entry._replace(params=per_agent(entry.params, like)) for entry in entries]


def meeting(batch: Batch, key: Array) -> Cell:
    """Some agents of the row's seed with the others of the column's, in the episodes that `key` starts."""
    first = first_agents(batch.env)

    @partial(jax.jit, static_argnums=0)
    def run(kind: Kind, one: Any, other: Any) -> tuple[Array, Array]:
        return mean_returns(batch, kind(mixed(batch.env, first, one, other)), key)

    return lambda row, column: run(row.kind, row.params, column.params)


def summary(env: Env, runs: Sequence[Trained], entries: Sequence[Entry], payoffs: Payoffs) -> dict[str, Any]:
    """Who acts for whom, and what strangers lose."""
    returns, first = payoffs.mean[..., 0], first_agents(env)
    return {
        "rows": [entry.described() for entry in entries],
        "columns": [entry.described() for entry in entries],
        "row_agents": [agent for agent, is_first in zip(env.agents, first, strict=True) if is_first],
        "column_agents": [agent for agent, is_first in zip(env.agents, first, strict=True) if not is_first],
        "own_partner": with_partner(returns),
        "strangers": with_strangers(returns),
        "lost_with_strangers": lost_with_strangers(returns),
        "runs": [run.described() for run in runs],
    }
