"""Fifth stage: who hears whom, as links `[..., N, N]`, 1 where the row's agent hears the column's; never itself."""

from __future__ import annotations

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array


def everyone(num_agents: int) -> np.ndarray:
    """All but oneself."""
    return 1.0 - np.eye(num_agents)


def team(teams: Sequence[int]) -> np.ndarray:
    """All of one's own team, given each agent's."""
    return everyone(len(teams)) * np.equal.outer(teams, teams)


def ring(teams: Sequence[int]) -> np.ndarray:
    """One's neighbours in one's team, in canonical order, the last being the first one's neighbour."""
    links = np.zeros((len(teams), len(teams)))
    for members in _members(teams):
        for neighbour in (np.roll(members, 1), np.roll(members, -1)):
            links[members, neighbour] = 1
    return links * everyone(len(teams))


def star(teams: Sequence[int]) -> np.ndarray:
    """The first of each team hears its whole team, and the others only the first."""
    links = np.zeros((len(teams), len(teams)))
    for members in _members(teams):
        links[members[0], members] = links[members, members[0]] = 1
    return links * everyone(len(teams))


def matrix(rows: Sequence[Sequence[float]], num_agents: int) -> np.ndarray:
    """The user's own. Raises ValueError unless it has a row and a column for each agent, of 0 and 1."""
    links = np.array(rows, float) if len({len(row) for row in rows}) == 1 else np.zeros(0)
    if links.shape != (num_agents, num_agents):
        raise ValueError(f"comm.route_matrix must have {num_agents} rows of {num_agents} numbers, one for each agent")
    if not np.isin(links, (0, 1)).all() or links.diagonal().any():
        raise ValueError("comm.route_matrix must be of 0 and 1, with 0 on the diagonal: nobody hears itself")
    return links


def nearest(positions: Array, k: int, teams: Sequence[int]) -> Array:
    """The k of one's team that are nearest by `positions` `[..., N, 2]`; of equally distant ones the first."""
    chex.assert_shape(positions, (..., len(teams), 2))
    distance = jnp.where(team(teams) > 0, _squared_distances(positions), jnp.inf)
    mine, other = distance[..., :, None], distance[..., None, :]
    agents = np.arange(len(teams))
    rank = jnp.sum((other < mine) | ((other == mine) & (agents < agents[:, None])), axis=-1)
    return jnp.where((rank < k) & (team(teams) > 0), 1.0, 0.0)


def within(positions: Array, radius: float, teams: Sequence[int]) -> Array:
    """Those of one's team who are no farther than `radius`."""
    chex.assert_shape(positions, (..., len(teams), 2))
    return jnp.where((_squared_distances(positions) <= radius**2) & (team(teams) > 0), 1.0, 0.0)


def _members(teams: Sequence[int]) -> list[np.ndarray]:
    return [np.flatnonzero(np.equal(teams, each)) for each in sorted(set(teams))]


def _squared_distances(positions: Array) -> Array:
    return jnp.sum((positions[..., :, None, :] - positions[..., None, :, :]) ** 2, axis=-1)
