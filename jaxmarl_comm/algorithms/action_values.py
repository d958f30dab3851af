"""Critics of all agents' actions: each goes by everything that is seen and done, its own agent's first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms.critics import ByGroup, action_vectors, own_first
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.nets.critic import Critic
from jaxmarl_comm.nets.params import Params

if TYPE_CHECKING:
    from jaxmarl_comm.offpolicy_config import OffPolicyConfig

Array = jax.Array


class ActionValues:
    """Pure functions that estimate what all agents' actions are worth to each, closed over what is static.

    There are `num_critics` of each; in their parameters, these have the leading axis.
    """

    def __init__(self, cfg: OffPolicyConfig, env: Env) -> None:
        self.env, self.num_critics = env, cfg.critics
        self.net = Critic(
            env, cfg.nets(env.groups), cfg.critic_sharing, agent_id=cfg.critic_id, precision=cfg.net.precision
        )

    def init(self, key: Array, obs: ByGroup) -> Params:
        """Parameters. obs: group -> `[E, n, obs_dim]`, of which only the shape matters. The key is consumed."""
        idle = {g: jnp.zeros((*x.shape[:-1], self.env.action_spaces[g].dim)) for g, x in obs.items()}
        keys = jax.random.split(key, self.num_critics)
        return jax.vmap(lambda k: self.net.start(k, self.inputs(obs, idle, idle)))(keys)

    def inputs(self, obs: ByGroup, own: ByGroup, others: ByGroup) -> ByGroup:
        """group -> `[..., n, S]`: own observation, the others', own action, the others'.

        own, others: group -> `[..., n, dim]`, the same actions or two of each agent: what it itself is taken to do, and
        what others think that it does.
        """
        seen, done = own_first(self.env, obs), own_first(self.env, others)
        rest = {g: x[..., self.env.action_spaces[g].dim :] for g, x in done.items()}
        return {g: jnp.concatenate([seen[g], own[g], rest[g]], axis=-1) for g in seen}

    def of(self, params: Params, obs: ByGroup, own: ByGroup, others: ByGroup) -> Array:
        """`[C, ..., N]`, each critic's values."""
        inputs = self.inputs(obs, own, others)
        return jax.vmap(lambda p: self.net.apply(p, inputs)[0])(params)

    def of_first(self, params: Params, obs: ByGroup, own: ByGroup, others: ByGroup) -> Array:
        """`[..., N]`, the first critic's values."""
        first = jax.tree.map(lambda x: x[:1], params)
        return self.of(first, obs, own, others)[0]

    def vectors(self, deeds: ByGroup) -> ByGroup:
        """group -> `[..., n, dim]`, of actions that may be indices."""
        return {
            g: x if jnp.issubdtype(x.dtype, jnp.floating) else action_vectors(self.env, g, x) for g, x in deeds.items()
        }
