"""What networks are put together from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxmarl_comm.net_config import Net

Array = jax.Array

SQRT2 = 2.0**0.5
NEWTON_SCHULZ_STEPS = 40
ID_DIM = 8  # of a learned embedding of an agent
SMALL = 0.01  # last layer of a policy: almost uniform at the start (Andrychowicz et al. 2021)


class AgentDense(nn.Module):
    """A dense layer on `[..., n, d]`, with one set of weights for the n agents of a group, or one set for each.

    blocks: parts of the features, each of which starts out orthogonal for itself. precision: what is multiplied
    in; what comes out is float32.
    """

    features: int
    share_params: bool
    scale: float = SQRT2
    blocks: int = 1
    precision: str = "float32"

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
        dtype = None if self.precision == "float32" else jnp.dtype(self.precision)  # None: as the inputs are
        out = layer(self.features, kernel_init=orthogonal(self.scale, self.blocks), dtype=dtype)(x)
        return out.astype(x.dtype)


def orthogonal(scale: float, blocks: int = 1) -> Callable[..., Array]:
    """Initialiser of kernels with orthogonal rows or columns of length `scale` (Saxe et al. 2014).

    The orthogonal factor of a Gaussian matrix, by Newton and Schulz's iteration. flax takes it by QR, which, batched
    over seeds or agents, can deadlock XLA's CPU thread pool (seen with jax 0.10.2 on two cores).
    """

    def init(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        long, short = max(shape), min(shape)
        start = jax.random.normal(key, (long, short), dtype) / (long**0.5 + short**0.5)  # singular values below √3
        kernel = jax.lax.fori_loop(0, NEWTON_SCHULZ_STEPS, lambda _, w: 1.5 * w - 0.5 * w @ (w.T @ w), start)
        return scale * (kernel if shape[0] == long else kernel.T)

    def in_blocks(key: Array, shape: tuple[int, int], dtype: Any = jnp.float32) -> Array:
        each = (shape[0], shape[1] // blocks)
        return jnp.concatenate([init(k, each, dtype) for k in jax.random.split(key, blocks)], axis=1)

    return init if blocks == 1 else in_blocks


def normalised(net: Net, x: Array) -> Array:
    """Inputs `[..., d]` with mean 0 and variance 1, if the network asks for it (Ba et al. 2016, without gains)."""
    return jax.nn.standardize(x, axis=-1, epsilon=1e-5) if net.layer_norm else x


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
