"""Value functions of all agents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.net_config import Net
from jaxmarl_comm.nets.cell import GATES, STATES, AgentCell
from jaxmarl_comm.nets.growth import activated, at_first, in_slot, shape_of, with_room
from jaxmarl_comm.nets.layers import SQRT2, AgentDense, gain, identified, normalised
from jaxmarl_comm.nets.params import Params, owner

Array = jax.Array
Memories = dict[str, Array]


class Critic(nn.Module):
    """Value functions: each goes by what `algorithms/critics.py` puts together for its agent, and what the agent hears.

    nets: group -> its network. share: whether agents have one `team`'s, one for each `group`, or one for each `agent`.
    agent_id: see `identified`. memory: none, or gru or lstm cells in the place of the last layer.
    embed_dim: numbers that what is not an agent's own observation is compressed to; 0: not at all.
    precision: what layers multiply in.
    """

    env: Env
    nets: Mapping[str, Net]
    share: str
    agent_id: str = "none"
    embed_dim: int = 0
    memory: str = "none"
    precision: str = "float32"

    @nn.compact
    def __call__(
        self,
        seen: dict[str, Array],
        heard: Array | None = None,
        memories: Memories | None = None,
        begins: Array | None = None,
    ) -> tuple[Array, Memories]:
        """(values `[..., N]`, what critics remember next) of group -> `[..., n, S]`.

        heard: `[..., N, H]`, if the critic listens. memories: as `nothing` makes them, before the first step; they stay
        empty without memory. begins: `[T, E]` bool, where episodes begin among T steps `[T, E, ...]`; None at one step.
        """
        told = {} if heard is None else self.env.split(heard, axis=-2)
        x = {g: jnp.concatenate([seen[g], told[g]], axis=-1) if told else seen[g] for g in seen}
        values: dict[str, Array] = {}
        after: Memories = {}
        for name, groups in self._units().items():
            of_all = x[name] if len(groups) == 1 else jnp.concatenate([x[g] for g in groups], axis=-2)
            found, first = self._deep(name, of_all), 0
            if self.remembers:
                assert memories is not None
                after[name], found = self._recall(name, found, memories[name], begins)
            of_unit = self._dense(1, f"{name}_value", found, 1.0)[..., 0]
            for group in groups:
                values[group] = of_unit[..., first : first + x[group].shape[-2]]
                first += x[group].shape[-2]
        return self.env.join(values, axis=-1), after

    @nn.nowrap
    def start(self, key: Array, *given: Any) -> Params:
        """Parameters, of networks that may grow at their first size. given: as to `__call__`. The key is consumed."""
        if not any(net.start for net in self.nets.values()):
            return self.init(key, *given)
        small = self.clone(nets={group: at_first(net) for group, net in self.nets.items()})
        shapes = jax.eval_shape(lambda: self.init(key, *given))
        return with_room(small.init(key, *given), shapes, self.nets, partial(owner, self.env))

    @property
    def remembers(self) -> bool:
        return self.memory != "none"

    @nn.nowrap
    def nothing(self, num_envs: int) -> Memories:
        """What critics remember at the start of an episode: whose parameters -> `[E, n, S]`."""
        if not self.remembers:
            return {}
        size = {name: STATES[self.memory] * self.nets[name].hidden[-1] for name in self._units()}
        return {
            name: jnp.zeros((num_envs, sum(len(self.env.groups[g]) for g in groups), size[name]))
            for name, groups in self._units().items()
        }

    @nn.nowrap
    def _units(self) -> dict[str, list[str]]:
        """Groups that share parameters, by the first of them, which these are named after."""
        teams = self.env.group_teams
        if self.share != "team":
            return {group: [group] for group in self.env.groups}
        of_teams = [[g for g in self.env.groups if teams[g] == team] for team in range(len(self.env.team_names))]
        return {groups[0]: groups for groups in of_teams}

    def _deep(self, name: str, x: Array) -> Array:
        """`[..., n, width]`, by the layers of the group of this name."""
        own, net, shape = self.env.obs_dims[name], self.nets[name], shape_of(self, name, self.nets[name])
        x = normalised(net, x)
        if self.embed_dim:
            rest = activated(net, shape, self._dense(self.embed_dim, f"{name}_embed", x[..., own:], gain(net)))
            x = jnp.concatenate([x[..., :own], rest], axis=-1)
        x = identified(self, self.agent_id, name, x)
        for layer, width in enumerate(net.hidden[:-1] if self.remembers else net.hidden):
            made = self._dense(width, f"{name}_{layer}", x, gain(net))
            x = in_slot(net, shape, layer, x, made) if layer else activated(net, shape, made)
        return x

    def _recall(self, name: str, x: Array, state: Array, begins: Array | None) -> tuple[Array, Array]:
        """(the state `[E, n, S]` of the cells after the last step, what they give at each, `[..., n, width]`)."""
        width = self.nets[name].hidden[-1]
        sensed = self._dense(GATES[self.memory] * width, f"{name}_sense", x, 1.0)
        cell = AgentCell(self.memory, self.share != "agent", self.precision, name=f"{name}_cell")
        if begins is None:
            state = cell(state, sensed)
            return state, state[..., :width]

        def step(cell: AgentCell, state: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
            begins, sensed = now
            state = cell(jnp.where(begins[:, None, None], 0.0, state), sensed)
            return state, state[..., :width]

        along = nn.scan(step, variable_broadcast="params", split_rngs={"params": False})
        return along(cell, state, (begins, sensed))

    def _dense(self, features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
        return AgentDense(features, self.share != "agent", scale, precision=self.precision, name=name)(x)
