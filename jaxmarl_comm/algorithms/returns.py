"""Advantages and the scale of returns."""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Env

Array = jax.Array

VARIANCE_FLOOR = 1e-2
TINY = 1e-8


def gae(
    rewards: Array, values: Array, next_values: Array, terminated: Array, ended: Array, gamma: Array, gae_lambda: Array
) -> Array:
    """Generalised advantage estimates `[T, ...]` (Schulman et al. 2016, eq. 16).

    rewards, values, next_values: `[T, ...]`; next_values is the value of the *true* next observation, also where an
    episode was truncated there. terminated: `[T, ...]` bool, nothing follows. ended: terminated or truncated: what
    follows belongs to another episode.
    """
    chex.assert_equal_shape([rewards, values, next_values])
    chex.assert_equal_rank([rewards, terminated, ended])
    chex.assert_type([terminated, ended], bool)
    deltas = rewards + gamma * next_values * ~terminated - values

    def backwards(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        delta, over = now
        advantage = delta + gamma * gae_lambda * ~over * later
        return advantage, advantage

    return jax.lax.scan(backwards, jnp.zeros_like(values[0]), (deltas, ended), reverse=True)[1]


def share_rewards(rewards: Array, teams: tuple[int, ...], weight: float | np.ndarray) -> Array:
    """`[..., N]` -> `[..., N]`: (1 - weight) of one's own reward and weight of the mean of one's team.

    weight: of all, or `[N]`, of each agent.
    """
    chex.assert_axis_dimension(rewards, -1, len(teams))
    team = jnp.array(teams)
    same = (team[:, None] == team[None, :]).astype(rewards.dtype)
    means = jnp.sum(rewards[..., None, :] * (same / same.sum(axis=1, keepdims=True)), axis=-1)
    of_team = jnp.asarray(weight)
    return (1 - of_team) * rewards + of_team * means


class Estimates(NamedTuple):
    """What critics said of recorded steps, and what it should have been, in units of the reward, `[T, E, N]` each."""

    values: Array
    returns: Array


def explained_variance(estimates: Estimates) -> Array:
    """`[N]`: the share of the returns' variance that each agent's critic knew of; 1 is all, below 0 worse than none.

    0 where there is next to nothing to know.
    """
    axes = (0, 1)
    missed, there = (estimates.returns - estimates.values).var(axis=axes), estimates.returns.var(axis=axes)
    return jnp.where(there > TINY, 1 - missed / jnp.maximum(there, TINY), 0.0)


def normalise(within: str, env: Env, advantages: Array) -> Array:
    """`[..., N]` with mean 0 and variance 1 within each group, so that opponents' scales do not mix, or each agent.

    Within none or each minibatch: as they are, for the one needs nothing, and the other's turn comes later.
    """
    if within == "agent":
        axes = tuple(range(advantages.ndim - 1))
        return (advantages - advantages.mean(axes)) / (advantages.std(axes) + TINY)
    if within != "group":
        return advantages
    parts = {group: (part - part.mean()) / (part.std() + TINY) for group, part in env.split(advantages).items()}
    return env.join(parts)


class ValueNorm(NamedTuple):
    """Running mean and variance of returns, per agent (`[N]` each), so that critics learn numbers of size 1.

    The averages forget with `decay` and are debiased by `weight` (Yu et al. 2022, appendix on value normalisation).
    """

    mean: Array
    mean_square: Array
    weight: Array

    @classmethod
    def start(cls, num_agents: int) -> ValueNorm:
        return cls(jnp.zeros(num_agents), jnp.zeros(num_agents), jnp.zeros(num_agents))

    def update(self, returns: Array, decay: float) -> ValueNorm:
        """With returns `[..., N]`."""
        chex.assert_axis_dimension(returns, -1, self.mean.shape[0])
        axes = tuple(range(returns.ndim - 1))
        return ValueNorm(
            decay * self.mean + (1 - decay) * returns.mean(axes),
            decay * self.mean_square + (1 - decay) * (returns**2).mean(axes),
            decay * self.weight + (1 - decay),
        )

    def moments(self) -> tuple[Array, Array]:
        """(mean, standard deviation), each `[N]`; (0, 1) before the first update."""
        weight = jnp.maximum(self.weight, 1e-8)
        mean, mean_square = self.mean / weight, self.mean_square / weight
        std = jnp.sqrt(jnp.maximum(mean_square - mean**2, VARIANCE_FLOOR))
        return mean, jnp.where(self.weight > 0, std, 1.0)

    def normalise(self, returns: Array) -> Array:
        mean, std = self.moments()
        return (returns - mean) / std

    def denormalise(self, outputs: Array) -> Array:
        mean, std = self.moments()
        return outputs * std + mean
