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

    agent_id: see `identified`.
    """

    env: Env
    num_outputs: Mapping[str, int]
    hidden_dim: int
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
        known = {g: identified(self, self.agent_id, g, obs[g]) for g in groups}
        hidden = {g: nn.relu(self._dense(self.hidden_dim, f"{g}_encode", known[g])) for g in groups}
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
            hidden = {g: nn.relu(self._dense(self.hidden_dim, f"{g}_decide", hidden[g])) for g in groups}
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

    def _encode(self, k: int, hidden: dict[str, Array]) -> dict[str, Array]:
        """group -> `[..., n, M]`: what to tell in round k."""
        if self.channel.cfg.encoder == "mlp":
            hidden = {g: nn.relu(self._dense(self.hidden_dim, f"{g}_compose_{k}", h)) for g, h in hidden.items()}
        return self._linear(self.channel.cfg.width, f"message_{k}", hidden, 1.0)

    def _integrate(self, group: str, k: int, hidden: Array, heard: Array) -> Array:
        """`[..., n, hidden_dim]` after what was heard in round k."""
        name = f"{group}_integrate_{k}"
        match self.channel.cfg.integrate:
            case "add":
                return nn.relu(hidden + self._dense(self.hidden_dim, name, heard))
            case "gru":
                return self._gru(name, hidden, heard)
        return nn.relu(self._dense(self.hidden_dim, name, jnp.concatenate([hidden, heard], -1)))

    def _gru(self, name: str, hidden: Array, heard: Array) -> Array:
        """A gated recurrent unit (Cho et al. 2014), whose input is what was heard."""
        both = jnp.concatenate([hidden, heard], axis=-1)
        reset, update = (
            nn.sigmoid(self._dense(self.hidden_dim, f"{name}_{gate}", both)) for gate in ("reset", "update")
        )
        new = nn.tanh(self._dense(self.hidden_dim, f"{name}_new", jnp.concatenate([reset * hidden, heard], axis=-1)))
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

    share: whether agents have one `team`'s, one for each `group`, or one for each `agent`. agent_id: see `identified`.
    embed_dim: numbers that what is not an agent's own observation is compressed to; 0: not at all.
    """

    env: Env
    hidden_dim: int
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
            together = x[groups[0]] if len(groups) == 1 else jnp.concatenate([x[g] for g in groups], axis=-2)
            found, first = self._value(groups, together), 0
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

    def _value(self, groups: list[str], x: Array) -> Array:
        name, own = groups[0], self.env.obs_dims[groups[0]]
        if self.embed_dim:
            rest = nn.relu(self._dense(self.embed_dim, f"{name}_embed", x[..., own:]))
            x = jnp.concatenate([x[..., :own], rest], axis=-1)
        x = identified(self, self.agent_id, name, x)
        for layer in range(2):
            x = nn.relu(self._dense(self.hidden_dim, f"{name}_{layer}", x))
        return self._dense(1, f"{name}_value", x, 1.0)[..., 0]

    def _dense(self, features: int, name: str, x: Array, scale: float = SQRT2) -> Array:
        return AgentDense(features, self.share != "agent", scale, name=name)(x)


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
