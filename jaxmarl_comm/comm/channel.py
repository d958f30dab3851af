"""The communication channel: what agents tell each other within a step, as small pure functions.

The pipeline is encode -> route -> aggregate -> integrate, repeated for a number of rounds. Encoding and integrating are
learned and live in `nets.py`; what lies between them is here. Messages are `[..., N, message_dim]`, over all agents in
canonical order, never folded into the batch: so the listener's loss reaches the speaker's parameters.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array
Intervention = Callable[[Array], Array]
"""Replaces the messages `[E, N, message_dim]` of a batch of environments by others of the same shape."""


def unchanged(messages: Array) -> Array:
    """The intervention that leaves messages as they are."""
    return messages


def everyone(num_agents: int) -> np.ndarray:
    """`[N, N]` routing matrix, 1 where the row's agent hears the column's: all but oneself."""
    return 1.0 - np.eye(num_agents)


def aggregate_mean(messages: Array, links: np.ndarray) -> Array:
    """`[..., N, M]` messages -> `[..., N, M]`: the mean of what each agent hears, 0 if it hears nobody.

    CommNet (Sukhbaatar et al. 2016, eq. 3).
    """
    weights = links / np.maximum(links.sum(axis=1, keepdims=True), 1.0)
    return jnp.sum(weights[:, :, None].astype(messages.dtype) * messages[..., None, :, :], axis=-2)
