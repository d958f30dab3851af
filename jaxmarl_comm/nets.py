"""Networks of a team of agents. The only file that knows flax."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxmarl_comm.comm.channel import Intervention, aggregate_mean
from jaxmarl_comm.envs.base import Env

Array = jax.Array
Params = Any

SQRT2 = 2.0**0.5
NEWTON_SCHULZ_STEPS = 40
SMALL = 0.01  # last layer of a policy: almost uniform at the start (Andrychowicz et al. 2021)


class AgentDense(nn.Module):
    """A dense layer on `[..., n, d]`, with one set of weights for the n agents of a group, or one set for each."""

    features: int
    share_params: bool
    scale: float = SQRT2

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.features == 0:  # an agent without choice
            return jnp.zeros((*x.shape[:-1], 0))
        layer: Callable[..., Any] = nn.Dense
        if not self.share_params:
            layer = nn.vmap(
                nn.Dense, in_axes=-2, out_axes=-2, axis_size=x.shape[-2],
                variable_axes={"params": 0}, split_rngs={"params": True},
            )  # fmt: skip
        return layer(self.features, kernel_init=orthogonal(self.scale))(x)


def orthogonal(scale: float) -> Callable[..., Array]:
    """Initialiser of kernels with orthogonal rows or columns of length `scale` (Saxe et al. 2014).

    The orthogonal factor of a Gaussian matrix, by Newton and Schulz's iteration. flax takes it by QR, which, batched
    over seeds or agents, can deadlock XLA's CPU thread pool (seen with jax 0.10.2 on two cores).
    """

    def init(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        long, short = max(shape), min(shape)
        start = jax.random.normal(key, (long, short), dtype) / (long**0.5 + short**0.5)  # singular values below √3
        kernel = jax.lax.fori_loop(0, NEWTON_SCHULZ_STEPS, lambda _, w: 1.5 * w - 0.5 * w @ (w.T @ w), start)
        return scale * (kernel if shape[0] == long else kernel.T)

    return init


class TeamPolicy(nn.Module):
    """All agents' policies with the channel between them.

    num_outputs: group -> numbers that its distribution needs. rounds, message_dim: of the channel.
    links: `[N, N]` who hears whom.
    """

    env: Env
    num_outputs: Mapping[str, int]
    hidden_dim: int
    share_params: bool
    rounds: int
    message_dim: int
    links: np.ndarray

    @nn.compact
    def __call__(self, obs: dict[str, Array], intervene: Intervention) -> tuple[dict[str, Array], Array]:
        """group -> `[..., n, obs_dim]` -> (group -> `[..., n, num_outputs]`, messages `[..., N, rounds * M]`)."""
        groups = list(self.env.groups)

        def dense(features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
            return AgentDense(features, self.share_params, scale, name=name)(x)

        hidden = {g: nn.relu(dense(self.hidden_dim, f"{g}_encode", obs[g])) for g in groups}
        sent = []
        for k in range(self.rounds):
            told = {g: dense(self.message_dim, f"{g}_message_{k}", hidden[g], 1.0) for g in groups}
            messages = intervene(self.env.join(told, axis=-2))
            heard = self.env.split(aggregate_mean(messages, self.links), axis=-2)
            hidden = {
                g: nn.relu(dense(self.hidden_dim, f"{g}_integrate_{k}", jnp.concatenate([hidden[g], heard[g]], -1)))
                for g in groups
            }
            sent.append(messages)
        if self.rounds == 0:
            hidden = {g: nn.relu(dense(self.hidden_dim, f"{g}_decide", hidden[g])) for g in groups}
        outputs = {g: dense(self.num_outputs[g], f"{g}_act", hidden[g], SMALL) for g in groups}
        batch_shape = obs[groups[0]].shape[:-2]
        silence = jnp.zeros((*batch_shape, self.env.num_agents, 0))
        return outputs, jnp.concatenate([silence, *sent], axis=-1)


class Critic(nn.Module):
    """Centralised value functions: each agent's sees its own observation first, then everyone else's."""

    env: Env
    hidden_dim: int
    share_params: bool

    @nn.compact
    def __call__(self, obs: dict[str, Array]) -> Array:
        """group -> `[..., n, obs_dim]` -> values `[..., N]`."""
        values = {}
        for group, seen in centralised_obs(self.env, obs).items():
            x = seen
            for layer in range(2):
                x = nn.relu(AgentDense(self.hidden_dim, self.share_params, name=f"{group}_{layer}")(x))
            values[group] = AgentDense(1, self.share_params, 1.0, name=f"{group}_value")(x)[..., 0]
        return self.env.join(values, axis=-1)


def centralised_obs(env: Env, obs: dict[str, Array]) -> dict[str, Array]:
    """group -> `[..., n, S]`: the global state as each agent's critic sees it, its own observation first."""
    by_agent = [obs[group][..., position, :] for group, position in map(env.seat, range(env.num_agents))]

    def seen_by(agent: int) -> Array:
        return jnp.concatenate([by_agent[agent], *by_agent[:agent], *by_agent[agent + 1 :]], axis=-1)

    return {group: jnp.stack([seen_by(k) for k in where], axis=-2) for group, where in env.groups.items()}
