"""All agents' policies with the channel between them: they sense, remember, talk, and choose.

What does not depend on the step before, sensing and choosing, is apart from what may, so that it can be done for all
steps of an episode at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxmarl_comm.comm.channel import Channel, Circumstances, Deliver, Numbers
from jaxmarl_comm.comm.mailbox import Packet
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.net_config import Net
from jaxmarl_comm.nets.cell import GATES, STATES, AgentCell
from jaxmarl_comm.nets.growth import Shape, activated, at_first, in_slot, shape_of, with_room
from jaxmarl_comm.nets.layers import SMALL, SQRT2, AgentDense, gain, identified, normalised
from jaxmarl_comm.nets.params import Params, owner, together

Array = jax.Array
ByGroup = dict[str, Array]


class Recalled(NamedTuple):
    """What the n agents of a group remember.

    state: `[..., n, S]`, of their cells. heard: `[..., n, H]`, at the step before, which enters their cells now.
    """

    state: Array
    heard: Array


class Exchanged(NamedTuple):
    """What comes of agents' talk at one step, or at many.

    hidden: group -> `[..., n, width]`, before hearing the last round. packets: `[..., R, N, ...]`, as sent in R rounds.
    contents: `[..., R, N, M]`, what senders had in mind before it was made fit to be sent.
    heard: `[..., N, R * heard_dim]`. recalled: group -> what they will remember; empty without memory.
    """

    hidden: ByGroup
    packets: Packet
    contents: Array
    heard: Array
    recalled: dict[str, Recalled]


class Part(nn.Module):
    """A part of the policies of all agents: see TeamPolicy."""

    env: Env
    nets: Mapping[str, Net]
    share_params: bool
    channel: Channel
    memory: str
    precision: str

    @property
    def hears(self) -> bool:
        """Whether what is heard is for policies, too."""
        return self.channel.cfg.rounds > 0 and self.channel.cfg.integrate_into != "critic"

    @property
    def remembers(self) -> bool:
        """Whether there are cells, each in the place of the last layer before hearing."""
        return self.memory != "none"

    def layer(self, group: str, name: str, x: Array, width: int | None = None) -> Array:
        """A layer of the group's network, as wide as its last if nothing else is said."""
        net = self.nets[group]
        made = self.dense(width or net.hidden[-1], f"{group}_{name}", x, gain(net))
        return activated(net, self.shape(group), made)

    def shape(self, group: str) -> Shape | None:
        """What the group's network has come to, if it may grow."""
        return shape_of(self, group, self.nets[group])

    def dense(self, features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
        return AgentDense(features, self.share_params, scale, precision=self.precision, name=name)(x)

    def integrate(self, group: str, k: int, hidden: Array, heard: Array) -> Array:
        """`[..., n, width]` after what was heard in round k."""
        name, net = f"{group}_integrate_{k}", self.nets[group]
        match self.channel.cfg.integrate:
            case "add":
                return activated(net, self.shape(group), hidden + self.dense(hidden.shape[-1], name, heard, gain(net)))
            case "gru":
                return self._gru(name, hidden, heard)
        return self.layer(group, f"integrate_{k}", jnp.concatenate([hidden, heard], -1))

    def _gru(self, name: str, hidden: Array, heard: Array) -> Array:
        """A gated recurrent unit (Cho et al. 2014), whose input is what was heard."""
        both, width = jnp.concatenate([hidden, heard], axis=-1), hidden.shape[-1]
        reset, update = (nn.sigmoid(self.dense(width, f"{name}_{gate}", both)) for gate in ("reset", "update"))
        new = nn.tanh(self.dense(width, f"{name}_new", jnp.concatenate([reset * hidden, heard], axis=-1)))
        return (1 - update) * hidden + update * new


class Senses(Part):
    """group -> `[..., n, width]`: what agents make of what they see; with memory, what it says to their cells.

    agent_id: see `identified`.
    """

    agent_id: str = "none"

    @nn.compact
    def __call__(self, obs: ByGroup) -> ByGroup:
        return {group: self._sense(group, obs[group]) for group in self.env.groups}

    def _sense(self, group: str, obs: Array) -> Array:
        net, x = self.nets[group], identified(self, self.agent_id, group, normalised(self.nets[group], obs))
        *widths, last = net.before_hearing
        for k, width in enumerate(widths if self.remembers else net.before_hearing):
            x = self._encode(group, k, x, width)
        return self.dense(GATES[self.memory] * last, f"{group}_sense", x, 1.0) if self.remembers else x

    def _encode(self, group: str, k: int, x: Array, width: int) -> Array:
        """`[..., n, width]` after the layer of this number; of one that may grow, if there is another after hearing."""
        if k == 0:
            return self.layer(group, "encode", x, width)
        net = self.nets[group]
        return in_slot(net, self.shape(group), k + 1, x, self.dense(width, f"{group}_encode_{k}", x, gain(net)))


class Exchange(Part):
    """What agents remember at a step, tell each other, and make of what they hear."""

    @nn.compact
    def __call__(
        self,
        sensed: ByGroup,
        recalled: dict[str, Recalled],
        numbers: Numbers,
        circumstances: Circumstances,
        deliver: Deliver,
    ) -> Exchanged:
        """At one step `[E]`, or along an episode `[E, T]`, as `deliver` expects; with memory, at one step only."""
        cfg, channel, env = self.channel.cfg, self.channel, self.env
        states = {group: self._remember(group, sensed[group], before) for group, before in recalled.items()}
        hidden = {g: states[g][..., : self.nets[g].before_hearing[-1]] for g in states} or sensed
        batch_shape = sensed[next(iter(env.groups))].shape[:-2]
        packets, contents, everything_heard = [], [], []
        for k in range(cfg.rounds):
            content = self._compose(k, hidden)
            score = self._linear(1, f"gate_{k}", hidden, SMALL)[..., 0] if channel.learns_gate else None
            query = self._linear(channel.query_dim, f"query_{k}", hidden, 1.0) if cfg.attends else None
            packet = channel.emit(k, content, score, numbers, circumstances)
            heard = channel.receive(k, deliver(k, packet), query, circumstances)
            if self.hears and k + 1 < cfg.rounds:
                hidden = {g: self.integrate(g, k, hidden[g], part) for g, part in env.split(heard, axis=-2).items()}
            packets.append(packet)
            contents.append(content)
            everything_heard.append(heard)
        none = (*batch_shape, 0, env.num_agents)
        all_heard = jnp.concatenate([jnp.zeros((*batch_shape, env.num_agents, 0)), *everything_heard], axis=-1)
        ears = env.split(all_heard, axis=-2)
        return Exchanged(
            hidden=hidden,
            packets=Packet(
                message=stack([packet.message for packet in packets], axis=-3, none=(*none, cfg.width)),
                sent=stack([packet.sent for packet in packets], axis=-2, none=none),
            ),
            contents=stack(contents, axis=-3, none=(*none, cfg.width)),
            heard=all_heard,
            recalled={g: Recalled(state, ears[g] if self.hears else ears[g][..., :0]) for g, state in states.items()},
        )

    def _remember(self, group: str, sensed: Array, before: Recalled) -> Array:
        """The cells' states `[..., n, S]`: what agents sense now and what they heard at the step before goes in."""
        if self.hears:
            sensed = sensed + self.dense(sensed.shape[-1], f"{group}_heard", before.heard, 1.0)
        return AgentCell(self.memory, self.share_params, self.precision, name=f"{group}_cell")(before.state, sensed)

    def _compose(self, k: int, hidden: ByGroup) -> Array:
        """`[..., N, M]`: what to tell in round k."""
        if self.channel.cfg.encoder == "mlp":
            hidden = {g: self.layer(g, f"compose_{k}", h, h.shape[-1]) for g, h in hidden.items()}
        return self._linear(self.channel.cfg.width, f"message_{k}", hidden, 1.0)

    def _linear(self, features: int, name: str, hidden: ByGroup, scale: float) -> Array:
        """`[..., N, features]`, of all agents."""
        return self.env.join({g: self.dense(features, f"{g}_{name}", h, scale) for g, h in hidden.items()}, axis=-2)


class Choices(Part):
    """group -> `[..., n, num_outputs]`: what agents' choices are drawn from."""

    num_outputs: Mapping[str, int]

    @nn.compact
    def __call__(self, hidden: ByGroup, heard: Array) -> ByGroup:
        """hidden, heard: as in Exchanged."""
        if self.hears:
            last = self.env.split(heard[..., -self.channel.heard_dim :], axis=-2)
            hidden = {g: self.integrate(g, self.channel.cfg.rounds - 1, hidden[g], last[g]) for g in self.env.groups}
        if not self.hears or self.channel.cfg.integrate != "concat":
            deep = [g for g in self.env.groups if len(self.nets[g].hidden) > 1]
            hidden = hidden | {g: self.layer(g, "decide", hidden[g]) for g in deep}
        return {g: self.dense(self.num_outputs[g], f"{g}_act", hidden[g], SMALL) for g in self.env.groups}


@dataclass(frozen=True)
class TeamPolicy:
    """Pure functions of the parameters of all parts.

    nets: group -> its network, whose last layer comes after hearing, if there are two or more. num_outputs: group ->
    numbers that its choices need. memory: none, gru or lstm. precision: what layers multiply in.
    """

    env: Env
    num_outputs: Mapping[str, int]
    nets: Mapping[str, Net]
    share_params: bool
    channel: Channel
    agent_id: str
    memory: str
    precision: str

    @cached_property
    def parts(self) -> tuple[Any, Any, Any]:
        """(senses, exchange, choices)"""
        common = (self.env, self.nets, self.share_params, self.channel, self.memory, self.precision)
        return Senses(*common, agent_id=self.agent_id), Exchange(*common), Choices(*common, self.num_outputs)

    def init(
        self, key: Array, obs: ByGroup, numbers: Numbers, circumstances: Circumstances, deliver: Deliver
    ) -> Params:
        """Parameters. The key is consumed."""
        given = (key, obs, numbers, circumstances, deliver)
        if not self.grows:
            return self._init(*given)
        small = replace(self, nets={group: at_first(net) for group, net in self.nets.items()})
        shapes = jax.eval_shape(lambda: self._init(*given))
        return with_room(small._init(*given), shapes, self.nets, partial(owner, self.env))

    @property
    def grows(self) -> bool:
        return any(net.start for net in self.nets.values())

    def _init(
        self, key: Array, obs: ByGroup, numbers: Numbers, circumstances: Circumstances, deliver: Deliver
    ) -> Params:
        senses, exchange, choices = self.parts
        num_envs = len(next(iter(obs.values())))
        sensed, for_senses = senses.init_with_output(key, obs)
        exchanged, for_exchange = exchange.init_with_output(
            key, sensed, self.nothing(num_envs), numbers, circumstances, deliver
        )
        return together([for_senses, for_exchange, choices.init(key, exchanged.hidden, exchanged.heard)])

    def sense(self, params: Params, obs: ByGroup) -> ByGroup:
        """What agents make of what they see, group -> `[..., n, obs_dim]`."""
        return self.parts[0].apply(params, obs)

    def exchange(
        self,
        params: Params,
        sensed: ByGroup,
        recalled: dict[str, Recalled],
        numbers: Numbers,
        circumstances: Circumstances,
        deliver: Deliver,
    ) -> Exchanged:
        """What agents tell each other: see Exchange."""
        return self.parts[1].apply(params, sensed, recalled, numbers, circumstances, deliver)

    def choose(self, params: Params, talk: Exchanged) -> ByGroup:
        """group -> `[..., n, num_outputs]`."""
        return self.parts[2].apply(params, talk.hidden, talk.heard)

    def nothing(self, num_envs: int) -> dict[str, Recalled]:
        """What agents remember at the start of an episode."""
        if self.memory == "none":
            return {}
        heard = self.parts[1].hears * self.channel.cfg.rounds * self.channel.heard_dim
        size = {g: STATES[self.memory] * net.before_hearing[-1] for g, net in self.nets.items()}
        agents = {g: (num_envs, len(where)) for g, where in self.env.groups.items()}
        return {g: Recalled(jnp.zeros((*of, size[g])), jnp.zeros((*of, heard))) for g, of in agents.items()}


def stack(rounds: list[Array], axis: int, none: tuple[int, ...]) -> Array:
    """One array of all rounds, along a new axis; of the shape `none` if there are no rounds."""
    return jnp.stack(rounds, axis) if rounds else jnp.zeros(none)
