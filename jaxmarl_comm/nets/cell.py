"""What remembers from step to step: a gated recurrent unit or a long short-term memory, for each agent."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxmarl_comm.nets.layers import AgentDense

Array = jax.Array

GATES = {"gru": 3, "lstm": 4}
STATES = {"gru": 1, "lstm": 2}
TO_KEEP = 1.0  # a bias towards keeping what is there, at the start (Jozefowicz et al. 2015)


class AgentCell(nn.Module):
    """One step of a cell of this kind.

    Only what depends on the step before is here: what is sensed, `[..., n, GATES * width]`, comes from a layer that all
    steps of an episode can go through at once.
    """

    kind: str
    share_params: bool
    precision: str = "float32"

    @nn.compact
    def __call__(self, state: Array, sensed: Array) -> Array:
        """The state `[..., n, STATES * width]` after this step; its first `width` numbers are what the cell gives."""
        width = sensed.shape[-1] // GATES[self.kind]
        hidden, kept = state[..., :width], state[..., width:]
        layer = AgentDense(sensed.shape[-1], self.share_params, 1.0, GATES[self.kind], self.precision, name="past")
        past = layer(hidden)
        return gru(hidden, sensed, past) if self.kind == "gru" else lstm(kept, sensed + past)


def gru(hidden: Array, sensed: Array, past: Array) -> Array:
    """Hidden state `[..., W]` after a step (Cho et al. 2014, with the reset after the product, as in cuDNN).

    sensed, past: `[..., 3 W]`, what the present and the state before say to: reset, keep, and the new state.
    """
    (to_reset, to_keep, to_add), (reset, keep, add) = (jnp.split(x, 3, axis=-1) for x in (sensed, past))
    keep = nn.sigmoid(to_keep + keep + TO_KEEP)
    new = nn.tanh(to_add + nn.sigmoid(to_reset + reset) * add)
    return keep * hidden + (1 - keep) * new


def lstm(kept: Array, both: Array) -> Array:
    """Hidden and kept state `[..., 2 W]` after a step (Hochreiter and Schmidhuber 1997, Gers et al. 2000).

    kept: `[..., W]`. both: `[..., 4 W]`, what the present and the state before say to: let in, keep, let out, and the
    new content.
    """
    let_in, keep, let_out, new = jnp.split(both, 4, axis=-1)
    kept = nn.sigmoid(keep + TO_KEEP) * kept + nn.sigmoid(let_in) * nn.tanh(new)
    return jnp.concatenate([nn.sigmoid(let_out) * nn.tanh(kept), kept], axis=-1)
