"""Third stage: who sends at this step. Gates are `[..., N]`, 1 for an agent that sends and 0 for one that does not."""

from __future__ import annotations

from collections.abc import Sequence

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.comm.discretise import straight_through

Array = jax.Array

OPEN = 1.0  # added to what a gate is learned from, so that agents begin by talking


def learned(score: Array) -> Array:
    """Open where the agent's own score `[..., N]` is above -1; straight-through, where IC3Net reinforces it.

    (Singh et al. 2019, eq. 2.)
    """
    return straight_through(jnp.where(score + OPEN > 0, 1.0, 0.0), jax.nn.sigmoid(score + OPEN))


def top_k(score: Array, k: int, links: Array | np.ndarray, teams: Sequence[int], draw: Array | None) -> Array:
    """Open for the k agents of each team with the highest score `[..., N]`, of those heard by `links` `[..., N, N]`.

    SchedNet (Kim et al. 2019), whose weights come from a critic; here straight-through. In training k are drawn with
    probabilities softmax(score) (Gumbel-top-k: Kool et al. 2019), so that everyone has turns to learn from; draw:
    `[..., N]` from the Gumbel distribution, None in execution. Equals: the first goes first.
    """
    chex.assert_axis_dimension(score, -1, len(teams))
    score = score if draw is None else score + draw
    heard = jnp.broadcast_to(jnp.asarray(links).any(axis=-2), score.shape)
    mine, other = score[..., :, None], score[..., None, :]
    agents = np.arange(score.shape[-1])
    ahead = (other > mine) | ((other == mine) & (agents < agents[:, None]))
    rank = jnp.sum(ahead & heard[..., None, :] & np.equal.outer(teams, teams), axis=-1)
    chosen = jnp.where(heard & (rank < k), 1.0, 0.0)
    return straight_through(chosen, jnp.where(heard, jax.nn.sigmoid(score), 0.0))


def every_n(clock: Array, n: int, num_agents: int) -> Array:
    """Open for everyone at every n-th step of an episode, the first included. clock: `[...]`, steps since its start."""
    return jnp.broadcast_to((clock % n == 0)[..., None], (*clock.shape, num_agents)).astype(float)
