"""Sixth stage: one vector of all that an agent hears: `[..., N, M]` sent -> `[..., N, H]` heard.

arrives: `[..., N, N]`, 1 where what the column's agent sent reaches the row's; a message that was not sent is 0.
Who hears nobody hears 0.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.comm.discretise import straight_through
from jaxmarl_comm.comm.gate import OPEN

Array = jax.Array


def mean(content: Array, arrives: Array | np.ndarray, links: Array | np.ndarray) -> Array:
    """Over all whom one is linked to, silent or not (CommNet: Sukhbaatar et al. 2016, eq. 3; IC3Net's eq. 4)."""
    count = np.maximum if isinstance(links, np.ndarray) else jnp.maximum
    return total(content, arrives / count(links.sum(axis=-1, keepdims=True), 1.0))


def total(content: Array, arrives: Array | np.ndarray) -> Array:
    """The sum."""
    _check(content, arrives)
    return jnp.einsum("...ij,...jm->...im", jnp.asarray(arrives, content.dtype), content)


def maximum(content: Array, arrives: Array | np.ndarray, sent: Array) -> Array:
    """The largest of each number, over those who sent. sent: `[..., N]`."""
    _check(content, arrives, sent)
    there = (arrives * sent[..., None, :] > 0)[..., None]
    largest = jnp.max(jnp.where(there, content[..., None, :, :], -jnp.inf), axis=-2)
    return jnp.where(there.any(axis=-2), largest, 0.0)


def concat(content: Array, arrives: Array | np.ndarray) -> Array:
    """The others' messages side by side, in canonical order, 0 for those that do not arrive: H = (N - 1) M."""
    _check(content, arrives)
    num_agents = content.shape[-2]
    rows = [np.delete(np.arange(num_agents), k) for k in range(num_agents)]
    heard = [
        (content[..., others, :] * arrives[..., k, others][..., None]).reshape(*content.shape[:-2], -1)
        for k, others in enumerate(rows)
    ]
    return jnp.stack(heard, axis=-2)


def attention(content: Array, arrives: Array, sent: Array, query: Array, heads: int) -> Array:
    """Scaled dot-product attention; a message is heads × (key, value), a query `[..., N, heads * K]`.

    TarMAC (Das et al. 2019, eq. 3 and 4). H = M - heads * K. A closed gate or a cut link is out of the softmax; the
    gradient to the gate is kept.
    """
    _check(content, arrives, sent)
    queries = query.reshape(*query.shape[:-1], heads, -1)
    keys, values = _split(content, heads, queries.shape[-1])
    scores = jnp.einsum("...ihk,...jhk->...ijh", queries, keys) / np.sqrt(queries.shape[-1])
    there = (arrives * sent[..., None, :])[..., None]
    weights = jax.nn.softmax(jnp.where(there > 0, scores, -1e9), axis=-2) * there
    heard = jnp.einsum("...ijh,...jhv->...ihv", weights, values)
    return heard.reshape(*heard.shape[:-2], -1)


def choose_links(content: Array, query: Array, heads: int) -> Array:
    """`[..., N, N]`: which senders each agent cares to hear, a hard choice for each pair.

    G2ANet (Liu et al. 2020, eq. 4), straight-through on the first head's key and a query of its own `[..., N, K]`,
    where the paper samples.
    """
    keys, _ = _split(content, heads, query.shape[-1])
    score = jnp.einsum("...ik,...jk->...ij", query, keys[..., 0, :]) / np.sqrt(query.shape[-1]) + OPEN
    return straight_through(jnp.where(score > 0, 1.0, 0.0), jax.nn.sigmoid(score))


def _check(content: Array, arrives: Array | np.ndarray, sent: Array | None = None) -> None:
    """Links and gates belong to the agents that the messages come from."""
    num_agents = content.shape[-2]
    chex.assert_shape(arrives, (..., num_agents, num_agents))
    if sent is not None:
        chex.assert_shape(sent, content.shape[:-1])


def _split(content: Array, heads: int, key_dim: int) -> tuple[Array, Array]:
    """`[..., N, M]` -> keys `[..., N, heads, K]` and values `[..., N, heads, V]`."""
    by_head = content.reshape(*content.shape[:-1], heads, -1)
    return by_head[..., :key_dim], by_head[..., key_dim:]
