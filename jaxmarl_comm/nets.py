"""Networks of a team of agents. The only file that knows flax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxmarl_comm.comm.channel import Channel, Circumstances, Deliver, Numbers
from jaxmarl_comm.comm.mailbox import Packet
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.net_config import Net

Array = jax.Array
Params = Any

SQRT2 = 2.0**0.5
NEWTON_SCHULZ_STEPS = 40
ID_DIM = 8  # of a learned embedding of an agent
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


def by_team(env: Env, params: Params) -> tuple[Params, ...]:
    """The parameters of each team, of those of all agents' networks: their modules' names begin with a group's."""
    modules = params["params"]
    owner = {name: max((g for g in env.groups if name.startswith(f"{g}_")), key=len) for name in modules}
    return tuple(
        {"params": {name: module for name, module in modules.items() if env.group_teams[owner[name]] == team}}
        for team in range(len(env.team_names))
    )


def together(teams: Sequence[Params]) -> Params:
    """The inverse of `by_team`."""
    return {"params": {name: module for params in teams for name, module in params["params"].items()}}


class TeamOutput(NamedTuple):
    """What a team's network gives.

    outputs: group -> `[..., n, num_outputs]`. packets: `[..., R, N, ...]`, as sent in R rounds.
    contents: `[..., R, N, M]`, what senders had in mind before it was made fit to be sent.
    heard: `[..., N, R * heard_dim]`.
    """

    outputs: dict[str, Array]
    packets: Packet
    contents: Array
    heard: Array


def stack(rounds: list[Array], axis: int, none: tuple[int, ...]) -> Array:
    """One array of all rounds, along a new axis; of the shape `none` if there are no rounds."""
    return jnp.stack(rounds, axis) if rounds else jnp.zeros(none)


class TeamPolicy(nn.Module):
    """All agents' policies with the channel between them. num_outputs: group -> numbers that its choices need.

    nets: group -> its network, whose last layer comes after hearing, if there are two or more. agent_id: see
    `identified`.
    """

    env: Env
    num_outputs: Mapping[str, int]
    nets: Mapping[str, Net]
    share_params: bool
    channel: Channel
    agent_id: str = "none"

    @nn.compact
    def __call__(
        self, obs: dict[str, Array], numbers: Numbers, circumstances: Circumstances, deliver: Deliver
    ) -> TeamOutput:
        """group -> `[..., n, obs_dim]` at one step `[E]`, or along an episode `[E, T]`, as `deliver` expects."""
        cfg, channel, split, groups = self.channel.cfg, self.channel, self._split, list(self.env.groups)
        batch_shape, num_agents = obs[groups[0]].shape[:-2], self.env.num_agents
        hears = cfg.integrate_into != "critic"
        hidden = {g: self._encode_obs(g, obs[g]) for g in groups}
        packets, contents, everything_heard = [], [], []
        for k in range(cfg.rounds):
            content = self._join(self._encode(k, hidden))
            score = self._join(self._linear(1, f"gate_{k}", hidden, SMALL))[..., 0] if channel.learns_gate else None
            query = self._join(self._linear(channel.query_dim, f"query_{k}", hidden, 1.0)) if cfg.attends else None
            packet = channel.emit(k, content, score, numbers, circumstances)
            heard = channel.receive(k, deliver(k, packet), query, circumstances)
            if hears:
                hidden = {g: self._integrate(g, k, hidden[g], part) for g, part in split(heard).items()}
            packets.append(packet)
            contents.append(content)
            everything_heard.append(heard)
        if cfg.rounds == 0 or not hears or cfg.integrate != "concat":
            deep = [g for g in groups if len(self.nets[g].hidden) > 1]
            hidden |= {g: self._layer(g, f"{g}_decide", hidden[g]) for g in deep}
        none = (*batch_shape, 0, num_agents)
        return TeamOutput(
            outputs={g: self._dense(self.num_outputs[g], f"{g}_act", hidden[g], SMALL) for g in groups},
            packets=Packet(
                message=stack([packet.message for packet in packets], axis=-3, none=(*none, cfg.width)),
                sent=stack([packet.sent for packet in packets], axis=-2, none=none),
            ),
            contents=stack(contents, axis=-3, none=(*none, cfg.width)),
            heard=jnp.concatenate([jnp.zeros((*batch_shape, num_agents, 0)), *everything_heard], axis=-1),
        )

    def _encode_obs(self, group: str, obs: Array) -> Array:
        """`[..., n, width]`: what an agent makes of what it sees, before it hears anything."""
        net, x = self.nets[group], identified(self, self.agent_id, group, normalised(self.nets[group], obs))
        for k, width in enumerate(net.hidden[:-1] or net.hidden):
            x = self._layer(group, f"{group}_encode" + f"_{k}" * (k > 0), x, width)
        return x

    def _layer(self, group: str, name: str, x: Array, width: int | None = None) -> Array:
        """A layer of the group's network, as wide as its last if nothing else is said."""
        net = self.nets[group]
        return activated(net, self._dense(width or net.hidden[-1], name, x, gain(net)))

    def _encode(self, k: int, hidden: dict[str, Array]) -> dict[str, Array]:
        """group -> `[..., n, M]`: what to tell in round k."""
        if self.channel.cfg.encoder == "mlp":
            hidden = {g: self._layer(g, f"{g}_compose_{k}", h, h.shape[-1]) for g, h in hidden.items()}
        return self._linear(self.channel.cfg.width, f"message_{k}", hidden, 1.0)

    def _integrate(self, group: str, k: int, hidden: Array, heard: Array) -> Array:
        """`[..., n, width]` after what was heard in round k."""
        name, net = f"{group}_integrate_{k}", self.nets[group]
        match self.channel.cfg.integrate:
            case "add":
                return activated(net, hidden + self._dense(hidden.shape[-1], name, heard, gain(net)))
            case "gru":
                return self._gru(name, hidden, heard)
        return self._layer(group, name, jnp.concatenate([hidden, heard], -1))

    def _gru(self, name: str, hidden: Array, heard: Array) -> Array:
        """A gated recurrent unit (Cho et al. 2014), whose input is what was heard."""
        both, width = jnp.concatenate([hidden, heard], axis=-1), hidden.shape[-1]
        reset, update = (nn.sigmoid(self._dense(width, f"{name}_{gate}", both)) for gate in ("reset", "update"))
        new = nn.tanh(self._dense(width, f"{name}_new", jnp.concatenate([reset * hidden, heard], axis=-1)))
        return (1 - update) * hidden + update * new

    def _linear(self, features: int, name: str, hidden: dict[str, Array], scale: float) -> dict[str, Array]:
        return {g: self._dense(features, f"{g}_{name}", h, scale) for g, h in hidden.items()}

    def _dense(self, features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
        return AgentDense(features, self.share_params, scale, name=name)(x)

    def _join(self, parts: dict[str, Array]) -> Array:
        return self.env.join(parts, axis=-2)

    def _split(self, x: Array) -> dict[str, Array]:
        return self.env.split(x, axis=-2)


class Critic(nn.Module):
    """Value functions: each goes by what `algorithms/critics.py` puts together for its agent, and what the agent hears.

    nets: group -> its network. share: whether agents have one `team`'s, one for each `group`, or one for each `agent`.
    agent_id: see `identified`.
    embed_dim: numbers that what is not an agent's own observation is compressed to; 0: not at all.
    """

    env: Env
    nets: Mapping[str, Net]
    share: str
    agent_id: str = "none"
    embed_dim: int = 0

    @nn.compact
    def __call__(self, seen: dict[str, Array], heard: Array | None = None) -> Array:
        """group -> `[..., n, S]`, and `[..., N, H]` if the critic listens -> values `[..., N]`."""
        told = {} if heard is None else self.env.split(heard, axis=-2)
        x = {g: jnp.concatenate([seen[g], told[g]], axis=-1) if told else seen[g] for g in seen}
        values: dict[str, Array] = {}
        for groups in self._units():
            of_all = x[groups[0]] if len(groups) == 1 else jnp.concatenate([x[g] for g in groups], axis=-2)
            found, first = self._value(groups[0], of_all), 0
            for group in groups:
                values[group] = found[..., first : first + x[group].shape[-2]]
                first += x[group].shape[-2]
        return self.env.join(values, axis=-1)

    def _units(self) -> list[list[str]]:
        """Groups that share parameters, which are named after the first of them."""
        teams = self.env.group_teams
        if self.share != "team":
            return [[group] for group in self.env.groups]
        return [[g for g in self.env.groups if teams[g] == team] for team in range(len(self.env.team_names))]

    def _value(self, name: str, x: Array) -> Array:
        """`[..., n]`, by the parameters and the network of the group of this name."""
        own, net = self.env.obs_dims[name], self.nets[name]
        x = normalised(net, x)
        if self.embed_dim:
            rest = activated(net, self._dense(self.embed_dim, f"{name}_embed", x[..., own:], gain(net)))
            x = jnp.concatenate([x[..., :own], rest], axis=-1)
        x = identified(self, self.agent_id, name, x)
        for layer, width in enumerate(net.hidden):
            x = activated(net, self._dense(width, f"{name}_{layer}", x, gain(net)))
        return self._dense(1, f"{name}_value", x, 1.0)[..., 0]

    def _dense(self, features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
        return AgentDense(features, self.share != "agent", scale, name=name)(x)


def normalised(net: Net, x: Array) -> Array:
    """Inputs `[..., d]` with mean 0 and variance 1, if the network asks for it (Ba et al. 2016, without gains)."""
    return jax.nn.standardize(x, axis=-1, epsilon=1e-5) if net.layer_norm else x


def activated(net: Net, x: Array) -> Array:
    """What follows a layer."""
    return {"relu": nn.relu, "tanh": nn.tanh, "elu": nn.elu, "gelu": nn.gelu}[net.activation](x)


def gain(net: Net) -> float:
    """Length of a layer's rows at the start, which keeps the size of what passes through (He et al. 2015)."""
    return 5 / 3 if net.activation == "tanh" else SQRT2


def identified(module: nn.Module, agent_id: str, name: str, x: Array) -> Array:
    """`[..., n, d]` with who of the n agents it belongs to: a one-hot vector, learned numbers, or nothing."""
    if agent_id == "none":
        return x
    num_agents = x.shape[-2]
    if agent_id == "one_hot":
        ids = jnp.eye(num_agents)
    else:
        ids = module.param(f"{name}_id", nn.initializers.normal(1.0), (num_agents, ID_DIM))
    return jnp.concatenate([x, jnp.broadcast_to(ids, (*x.shape[:-1], ids.shape[-1]))], axis=-1)
