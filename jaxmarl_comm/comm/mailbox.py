"""What is under way from one step to the next: messages that are held, and messages that are late.

The same at one step, as a rollout meets it, and along T steps, as the update replays it with its gradients.
"""

from __future__ import annotations

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.trees import where_each

Array = jax.Array


class Packet(NamedTuple):
    """What each agent sends. message: `[..., N, M]`, 0 if none was sent. sent: `[..., N]`, 1 if one was, else 0."""

    message: Array
    sent: Array


class Memory(NamedTuple):
    """What the channel remembers from step to step, all zeros at the start of an episode.

    mail: packets `[E, R, delay, N, ...]` of R rounds under way, the oldest first. held: `[E, R, N, ...]`, the last
    packets sent, if they are held. lost: `[E, R, N, N]` bool, the links that failed in the last step. clock: `[E]`,
    steps since the start.
    """

    mail: Packet
    held: Packet
    lost: Array
    clock: Array


def on_air(packets: Packet, held: Packet, clock: Array, every: int) -> Packet:
    """What is sent now `[E, ...]`, at every so many-th step of an episode; else what is held from the last time."""
    return where_each(clock % every == 0, packets, held)


def on_air_along(packets: Packet, held: Packet, clock: Array, every: int) -> Packet:
    """`on_air` of every step of packets `[E, T, N, ...]`; clock: `[E, T]`; `held`: `[E, N, ...]`, from before."""
    chex.assert_tree_shape_prefix(packets, clock.shape)
    steps = jnp.arange(clock.shape[1]) - clock % every

    def of_step(sent: Array, step: Array, before: Array) -> Array:
        return jnp.where(step >= 0, sent[jnp.maximum(step, 0)], before)

    along = jax.vmap(jax.vmap(of_step, in_axes=(None, 0, None)))
    return jax.tree.map(lambda sent, before: along(sent, steps, before), packets, held)


def post(mail: Packet, packets: Packet) -> Packet:
    """The mail `[E, R, delay, N, ...]` after a step: its first has arrived, its last are `packets` `[E, R, N, ...]`."""
    return jax.tree.map(lambda old, new: jnp.concatenate([old, new[:, :, None]], axis=2)[:, :, 1:], mail, packets)


def arriving_along(packets: Packet, mail: Packet, clock: Array) -> Packet:
    """What arrives at every step of packets `[E, T, N, ...]`; mail: `[E, delay, N, ...]`, under way before the first.

    What was sent in an episode is never heard in the next: clock `[E, T]` tells how old the episode is.
    """
    chex.assert_tree_shape_prefix(packets, clock.shape)
    there = clock >= mail.sent.shape[1]

    def late(old: Array, sent: Array) -> Array:
        arriving = jnp.concatenate([old, sent], axis=1)[:, : sent.shape[1]]
        return jnp.where(there.reshape(*there.shape, *(1,) * (sent.ndim - 2)), arriving, 0.0)

    return jax.tree.map(late, mail, packets)
