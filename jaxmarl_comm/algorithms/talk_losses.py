"""What the config asks of messages beside being useful, team by team; and how messages look."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms.team import Decision, TeamActor
from jaxmarl_comm.comm.channel import Numbers
from jaxmarl_comm.comm.regularise import listening_loss, price, signalling_loss
from jaxmarl_comm.envs.base import WORD

Array = jax.Array


def talk_losses(
    actor: TeamActor, numbers: Numbers, decision: Decision, muted: Decision | None
) -> tuple[Array, dict[str, Array]]:
    """(losses, metrics) of a replay: `[teams]` each.

    numbers: the channel's. muted: the same replay with nothing heard, if there is a listening_coef.
    """
    parts = [_of_team(actor, team, numbers, decision, muted) for team in range(len(actor.env.team_names))]
    losses, metrics = zip(*parts, strict=True)
    return jnp.stack(losses), jax.tree.map(lambda *x: jnp.stack(x), *metrics)


def _of_team(
    actor: TeamActor, team: int, numbers: Numbers, decision: Decision, muted: Decision | None
) -> tuple[Array, dict[str, Array]]:
    comm, packets = actor.channel.cfg, decision.talk.packets
    members = np.array(actor.env.team_members[team])
    loss, metrics = jnp.zeros(()), {}
    if comm.signalling_coef:
        logits = word_logits(actor, team, decision)
        metrics["signalling_loss"] = signalling_loss(logits, comm.signalling_entropy) if logits.size else loss
        loss += comm.signalling_coef * metrics["signalling_loss"]
    if muted is not None:
        given, unheard = ({g: d.probs() for g, d in each.distributions.items()} for each in (decision, muted))
        own = [g for g in given if actor.env.group_teams[g] == team]
        parts = [listening_loss(x, unheard[g][name]) for g in own for name, x in given[g].items()]
        metrics["listening_loss"] = sum(parts, jnp.zeros(()))
        loss += comm.listening_coef * metrics["listening_loss"]
    if comm.rounds:
        sent = packets.sent[..., members]
        metrics["messages_sent"] = sent.sum(axis=-2).mean()
        spread = packets.message[..., members, :].std(axis=(0, 1)).mean()
        metrics["message_spread"] = spread * actor.channel.share_of_room(numbers)
        loss += price(sent, actor.channel.bits_per_message(numbers), comm.message_price, comm.bit_price)
    return loss, metrics


def word_logits(actor: TeamActor, team: int, decision: Decision) -> Array:
    """`[E, T, ..., n, W]`: logits of all words that a team's n speakers choose: the channel's, or the task's.

    n is 0 for a team that is silent: what it would have said must shape none of its layers.
    """
    env, vocabulary = actor.env, actor.vocabulary
    groups = [g for g, of in env.group_teams.items() if of == team]
    if actor.channel.cfg.discretise == "gumbel":
        talking = () if team in actor.channel.silent else env.team_members[team]
        return decision.talk.contents[..., np.array(talking, int), :]
    if actor.relaxed:
        speakers = [agent for g in groups if vocabulary[g] for agent in env.groups[g]]
        return decision.word_logits[..., np.array(speakers, int), :]
    factors = {g: decision.distributions[g].factors for g in groups}
    said = [of[WORD].logits for of in factors.values() if WORD in of]
    return jnp.concatenate(said, axis=-2) if said else jnp.zeros((*decision.said.shape[:-2], 0, 1))
