"""The communication channel: encode -> discretise -> gate -> corrupt -> route -> aggregate -> integrate.

Encoding and integrating are learned and live in `nets/policy.py`; each stage between has its file here, and `Channel`
puts them together as the config says. Messages are `[..., N, M]`, over all agents in canonical order, never folded into
the batch: so the listener's loss reaches the speaker's parameters. What travels is a *packet*: the message, and whether
one was sent.

Chance and place come in from outside, as *circumstances*: drawn once, in the rollout, and replayed in the update. In
execution the circumstances hold no draws for discretising, which makes it deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.comm import aggregate, corrupt, discretise, gate, mailbox, route
from jaxmarl_comm.comm.config import BITS_OF_A_NUMBER, MOST_BITS, CommConfig
from jaxmarl_comm.comm.mailbox import Memory, Packet

Array = jax.Array


Intervention = Callable[[Any], Any]
"""Replaces what a batch of environments is about to hear, a pytree of `[E, ...]` (packets, or words), by another."""
Circumstances = dict[str, Any]
"""What chance and place decide at a step, pytrees of `[E, ...]`; only what this channel needs."""
Deliver = Callable[[int, Packet], Packet]
"""(round, packets sent now) -> packets heard now, of the same shape."""


def unchanged(heard: Any) -> Any:
    """The intervention that leaves everything as it is."""
    return heard


class Numbers(NamedTuple):
    """The channel's swept numbers, `[]` each: a population may vary them. temperature: the present one."""

    noise: Array
    loss: Array
    bit_flip: Array
    message_dim: Array
    bits: Array
    temperature: Array


@dataclass(frozen=True)
class Channel:
    """What lies between a sender's encoder and a listener's hidden state. Raises ValueError where cfg and team clash.

    teams: of each agent in canonical order. silent: teams that neither send nor hear.
    """

    cfg: CommConfig
    teams: tuple[int, ...]
    silent: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.cfg.rounds == 0:
            return
        for name, most in {"gate_k": self.largest_team, "route_k": max(1, self.largest_team - 1)}.items():
            used = {"gate_k": self.cfg.gate == "top_k", "route_k": self.cfg.route == "nearest"}[name]
            if used and getattr(self.cfg, name) > most:
                raise ValueError(f"comm.{name} is {getattr(self.cfg, name)}, but must be at most {most} in this task")
        if not self.needs_positions:
            self.static_links  # noqa: B018 (an impossible matrix is an error now)

    @property
    def num_agents(self) -> int:
        return len(self.teams)

    @property
    def largest_team(self) -> int:
        """Agents in the largest team."""
        return max(map(self.teams.count, self.teams))

    @cached_property
    def talks(self) -> np.ndarray:
        """`[N]` bool: whose team uses the channel."""
        return ~np.isin(self.teams, self.silent)

    @property
    def reaches_anyone(self) -> bool:
        """Whether there is any agent that may hear another."""
        return self.cfg.rounds > 0 and (
            any(self.teams.count(team) > 1 for team in set(self.teams) - set(self.silent))
            if self.needs_positions
            else bool(self.static_links.any())
        )

    @cached_property
    def crosses_teams(self) -> bool:
        """Whether anyone hears an agent of another team."""
        return not self.needs_positions and bool((self.static_links * np.not_equal.outer(self.teams, self.teams)).any())

    @property
    def needs_positions(self) -> bool:
        """Whether who hears whom depends on where agents are."""
        return self.cfg.rounds > 0 and self.cfg.route in ("nearest", "radius")

    @property
    def heard_dim(self) -> int:
        """Numbers that an agent hears in a round."""
        return self.cfg.room * (self.num_agents - 1 if self.cfg.aggregate == "concat" else 1)

    @property
    def query_dim(self) -> int:
        """Numbers that a listener asks attention with: a query for each head, and one to choose whom to hear."""
        return (self.cfg.heads * self.cfg.attends + (self.cfg.aggregate == "hard_attention")) * self.cfg.key_dim

    def uses(self, name: str) -> bool:
        """Whether a stage that the config has built reads this one of Numbers."""
        return {
            "noise": self.cfg.noise > 0,
            "loss": self.cfg.loss > 0,
            "bit_flip": self.cfg.bit_flip > 0,
            "message_dim": self.cfg.max_message_dim is not None,
            "bits": self.cfg.discretise == "quantise",
            "temperature": self.cfg.discretise == "gumbel",
        }[name]

    @property
    def learns_gate(self) -> bool:
        return self.cfg.gate in ("learned", "top_k")

    def bits_per_message(self, numbers: Numbers) -> Array | float:
        """Bits that one message takes with these numbers, which need not be the config's."""
        bits_of_number: dict[str, Array | int] = {
            "none": BITS_OF_A_NUMBER,
            "quantise": numbers.bits,
            "binary": 1,
            "dru": 1,
        }
        if self.cfg.discretise == "gumbel":
            return log2(self.cfg.width)
        return bits_of_number[self.cfg.discretise] * (numbers.message_dim + self.cfg.keys_dim)

    @cached_property
    def static_links(self) -> np.ndarray:
        """`[N, N]` where links do not depend on positions."""
        return self._links_of_all() * np.outer(self.talks, self.talks)

    def _links_of_all(self) -> np.ndarray:
        if self.cfg.route == "matrix":
            return route.matrix(self.cfg.route_matrix or [], self.num_agents)
        if self.cfg.route == "all":
            return route.everyone(self.num_agents)
        return {"team": route.team, "ring": route.ring, "star": route.star}[self.cfg.route](self.teams)

    def start(self, num_envs: int) -> Memory:
        """The memory at the start of an episode."""
        rounds, agents = self.cfg.rounds, self.num_agents
        bursts = rounds if self.cfg.loss_burst > 1 else 0

        def empty(*shape: int) -> Packet:
            return Packet(jnp.zeros((*shape, self.cfg.width)), jnp.zeros(shape))

        return Memory(
            mail=empty(num_envs, rounds, self.cfg.delay, agents),
            held=empty(num_envs, rounds * self.cfg.gate_hold, agents),
            lost=jnp.zeros((num_envs, bursts, agents, agents), bool),
            clock=jnp.zeros(num_envs, jnp.int32),
        )

    def circumstances(
        self, key: Array, numbers: Numbers, memory: Memory, positions: Array | None, training: bool
    ) -> Circumstances:
        """What chance and place decide at this step. positions: `[E, N, 2]`, if needed. The key is consumed."""
        cfg, num_envs = self.cfg, memory.clock.shape[0]
        shape = (num_envs, cfg.rounds, self.num_agents)
        choice_key, noise_key, flip_key, other_key, loss_key, turn_key = jax.random.split(key, 6)
        found: Circumstances = {}
        if cfg.delay or cfg.gate == "every_n" or cfg.speech == "differentiable":
            found["clock"] = memory.clock
        if cfg.rounds == 0:
            return found
        if self.needs_positions:
            found["links"] = self.links_at(positions)
        if training and cfg.discretise == "gumbel":
            found["choice"] = jax.random.gumbel(choice_key, (*shape, cfg.width))
        if training and cfg.discretise == "dru":
            found["choice"] = jax.random.normal(choice_key, (*shape, cfg.width))
        if training and cfg.gate == "top_k":
            found["turn"] = jax.random.gumbel(turn_key, shape)
        if cfg.noise:
            found["noise"] = jax.random.normal(noise_key, (*shape, cfg.width))
        if cfg.bit_flip:
            # As many bits as there can be, as numbers may have more than the config's.
            flips = {"gumbel": (), "quantise": (cfg.width, MOST_BITS)}.get(cfg.discretise, (cfg.width,))
            found["flip"] = jax.random.uniform(flip_key, (*shape, *flips)) < numbers.bit_flip
            if cfg.discretise == "gumbel":
                found["other"] = jax.random.uniform(other_key, shape)
        if cfg.loss:
            draw = jax.random.uniform(loss_key, (*shape, self.num_agents))
            fresh = (memory.clock == 0)[:, None, None, None] | (cfg.loss_burst == 1)
            lost = corrupt.lose(memory.lost, draw, numbers.loss, cfg.loss_burst)
            found["lost"] = jnp.where(fresh, draw < numbers.loss, lost)
        return found

    def links_at(self, positions: Array | None) -> Array:
        """`[..., N, N]` of agents at `[..., N, 2]`, where links depend on that."""
        if positions is None:
            raise ValueError(f"comm.route '{self.cfg.route}' needs to know where the agents are: give positions")
        if self.cfg.route == "nearest":
            links = route.nearest(positions, self.cfg.route_k, self.teams)
        else:
            links = route.within(positions, self.cfg.route_radius, self.teams)
        return links * np.outer(self.talks, self.talks) if self.silent else links

    def advance(self, memory: Memory, circumstances: Circumstances, packets: Packet) -> Memory:
        """The memory after a step in which `packets` `[E, R, N, ...]` were sent."""
        on_air = self.on_air(packets, memory.held, memory.clock)
        mail = mailbox.post(memory.mail, on_air) if self.cfg.delay else memory.mail
        held = on_air if self.cfg.gate_hold else memory.held
        lost = circumstances["lost"] if self.cfg.loss_burst > 1 and self.cfg.loss else memory.lost
        return Memory(mail, held, lost, memory.clock + 1)

    def on_air(self, packets: Packet, held: Packet, clock: Array) -> Packet:
        """What is sent now `[E, ...]`, or still held from the last time that something was."""
        return mailbox.on_air(packets, held, clock, self.cfg.gate_every) if self.cfg.gate_hold else packets

    def post(self, memory: Memory, intervene: Intervention) -> Deliver:
        """Delivery at one step, of packets `[E, N, ...]`."""

        def deliver(k: int, packets: Packet) -> Packet:
            if self.cfg.delay:
                return intervene(jax.tree.map(lambda mail: mail[:, k, 0], memory.mail))
            held = jax.tree.map(lambda held: held[:, k], memory.held) if self.cfg.gate_hold else memory.held
            return intervene(self.on_air(packets, held, memory.clock))

        return deliver

    def post_sequence(self, start: Memory, circumstances: Circumstances) -> Deliver:
        """Delivery along T steps, of `[E, T, N, ...]`, gradients included; start: the memory before the first step."""

        def deliver(k: int, packets: Packet) -> Packet:
            if self.cfg.gate_hold:
                held = jax.tree.map(lambda held: held[:, k], start.held)
                packets = mailbox.on_air_along(packets, held, circumstances["clock"], self.cfg.gate_every)
            if self.cfg.delay:
                mail = jax.tree.map(lambda mail: mail[:, k], start.mail)
                packets = mailbox.arriving_along(packets, mail, circumstances["clock"])
            return packets

        return deliver

    def emit(
        self, k: int, content: Array, score: Array | None, numbers: Numbers, circumstances: Circumstances
    ) -> Packet:
        """What senders' `content` `[..., N, M]` of round k becomes under way. score: `[..., N]`, of learned gates."""
        of_a_round = {"choice", "turn", "noise", "flip", "other"} & set(circumstances)
        here = circumstances | {name: _of_round(circumstances[name], k, content.ndim) for name in of_a_round}
        sent = self._gate(content, score, here)
        sent = sent * self.talks if self.silent else sent
        message = self._corrupt(self._discretise(content, numbers, here), numbers, here)
        message = message * self._in_use(numbers) if self.uses("message_dim") else message
        always = self.cfg.gate == "always" and not self.silent
        return Packet(message if always else message * sent[..., None], sent)

    def share_of_room(self, numbers: Numbers) -> Array | float:
        """Numbers in a message to those that are sent of it: by this, means over a message are too small."""
        return self.cfg.width / self._in_use(numbers).sum() if self.uses("message_dim") else 1.0

    def _in_use(self, numbers: Numbers) -> Array:
        """`[M]`: 1 for the numbers of a message that are sent, 0 for room; keys are sent in any case."""
        values = jnp.arange(self.cfg.room).reshape(self.cfg.heads, -1) < numbers.message_dim
        keys = jnp.ones((self.cfg.heads, self.cfg.keys_dim // self.cfg.heads), bool)
        return jnp.concatenate([keys, values], axis=1).reshape(-1).astype(float)  # as `aggregate.attention` reads it

    def _discretise(self, content: Array, numbers: Numbers, here: Circumstances) -> Array:
        match self.cfg.discretise:
            case "binary":
                return discretise.binary(content)
            case "quantise":
                return discretise.quantise(content, numbers.bits)
            case "gumbel":
                return discretise.gumbel(content, numbers.temperature, here.get("choice"))
            case "dru":
                return discretise.dru(content, self.cfg.dru_noise, here.get("choice"))
        return content

    def _gate(self, content: Array, score: Array | None, here: Circumstances) -> Array:
        if score is None:
            if self.cfg.gate == "every_n":
                return gate.every_n(here["clock"], self.cfg.gate_every, self.num_agents)
            return jnp.ones(content.shape[:-1])
        if self.cfg.gate == "top_k":
            return gate.top_k(score, self.cfg.gate_k, self.links(here), self.teams, here.get("turn"))
        return gate.learned(score)

    def _corrupt(self, message: Array, numbers: Numbers, here: Circumstances) -> Array:
        if "flip" in here:
            match self.cfg.discretise:
                case "binary":
                    message = corrupt.flip_signs(message, here["flip"])
                case "quantise":
                    message = corrupt.flip_levels(message, numbers.bits, here["flip"])
                case "gumbel":
                    message = corrupt.flip_words(message, here["flip"], here["other"])
                case "dru":
                    message = corrupt.flip_units(message, here["flip"])
        return corrupt.add_noise(message, numbers.noise, here["noise"]) if "noise" in here else message

    def links(self, circumstances: Circumstances) -> Array | np.ndarray:
        """`[N, N]`, or `[..., N, N]` where they depend on positions."""
        return circumstances["links"] if self.needs_positions else self.static_links

    def receive(self, k: int, packets: Packet, query: Array | None, circumstances: Circumstances) -> Array:
        """What each agent hears in round k: packets -> `[..., N, heard_dim]`.

        query: `[..., N, query_dim]`, what attention goes by. No gradient passes from a team's ears into another team.
        """
        if not self.crosses_teams:
            return self._hear(k, packets, query, circumstances)
        heard = [
            self._hear(k, self._learned_by(team, packets), query, circumstances) for team in range(max(self.teams) + 1)
        ]
        return jnp.stack([heard[team][..., agent, :] for agent, team in enumerate(self.teams)], axis=-2)

    def _learned_by(self, team: int, packets: Packet) -> Packet:
        """The same packets, of which only the team's own carry a gradient."""
        own = np.equal(self.teams, team)

        def stop(x: Array, mine: np.ndarray) -> Array:
            return jnp.where(mine, x, jax.lax.stop_gradient(x))

        return Packet(stop(packets.message, own[:, None]), stop(packets.sent, own))

    def _hear(self, k: int, packets: Packet, query: Array | None, circumstances: Circumstances) -> Array:
        (content, sent), links = packets, self.links(circumstances)
        arrives: Array | np.ndarray = links
        if "lost" in circumstances:
            arrives = jnp.where(_of_round(circumstances["lost"], k, content.ndim), 0.0, links)
        match self.cfg.aggregate:
            case "mean":
                return aggregate.mean(content, arrives, links)
            case "sum":
                return aggregate.total(content, arrives)
            case "max":
                return aggregate.maximum(content, arrives, sent)
            case "concat":
                return aggregate.concat(content, arrives)
        assert query is not None
        asked = self.cfg.heads * self.cfg.key_dim
        if self.cfg.aggregate == "hard_attention":
            arrives = arrives * aggregate.choose_links(content, query[..., asked:], self.cfg.heads)
        return aggregate.attention(content, jnp.asarray(arrives), sent, query[..., :asked], self.cfg.heads)


def _of_round(x: Array, k: int, ndim: int) -> Array:
    """Round k of `[..., R, N, ...]`, whose leading axes are those of a message with `ndim` axes."""
    return jax.lax.index_in_dim(x, k, axis=ndim - 2, keepdims=False)
