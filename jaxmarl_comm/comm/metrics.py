"""Does anyone talk? Entropies and mutual information of messages, in nats, from `[n]` samples.

None of these shows that anyone listens: read them beside the return with messages muted and shuffled.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Array = jax.Array

NUM_BINS = 16
PROBE_FEATURES = 64
PROBE_STEPS = 300
PROBE_LR = 0.05
PROBE_DECAY = 1e-4  # weight of the squared parameters, so that a babbler's probe does not memorise


def entropy(symbols: np.ndarray) -> float:
    """Plug-in entropy of `[n]` symbols; too small by about (symbols in use - 1) / 2n (Miller 1955)."""
    counts = np.unique(symbols, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum())


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Plug-in I(a; b) of two `[n]` series of symbols; too large by about (#a - 1)(#b - 1) / 2n."""
    pairs = np.unique(np.stack([a, b]), axis=1, return_inverse=True)[1]
    return entropy(a) + entropy(b) - entropy(pairs)


def histogram_entropy(messages: np.ndarray) -> float:
    """Entropy of real-valued messages `[n, M]`: of each number in 16 bins over its range, the mean over numbers."""
    bins = []
    for column in messages.T:
        span = np.ptp(column) or 1.0
        bins.append(entropy(np.minimum(NUM_BINS * (column - column.min()) / span, NUM_BINS - 1).astype(int)))
    return float(np.mean(bins))


def probe_information(messages: np.ndarray, goals: np.ndarray, num_goals: int) -> float:
    """Lower bound on I(message; goal) of real-valued messages `[n, M]` and goals `[n]`.

    A probe learns to tell the goal from half of the messages; on the other half, the entropy of the goal less the
    probe's cross-entropy is a lower bound in expectation (Barber and Agakov 2003). Never below 0.
    """
    half = len(messages) // 2
    # float64 on the way, so that a message that hardly varies keeps its digits
    scale = messages[:half].std(axis=0, dtype=np.float64)
    inputs = ((messages - messages[:half].mean(axis=0, dtype=np.float64)) / np.where(scale > 0, scale, 1)).astype("f4")
    cross_entropy = _probe_cross_entropy(
        jnp.asarray(inputs[:half]),
        jnp.asarray(goals[:half]),
        jnp.asarray(inputs[half:]),
        jnp.asarray(goals[half:]),
        jnp.zeros(num_goals),
    )
    return max(0.0, entropy(goals[half:]) - float(cross_entropy))


@jax.jit
def _probe_cross_entropy(train_x: Array, train_y: Array, test_x: Array, test_y: Array, classes: Array) -> Array:
    """Softmax regression on the message and on random ReLU features of it, which make it non-linear but convex."""
    projection = jax.random.normal(jax.random.key(0), (train_x.shape[1] + 1, PROBE_FEATURES))

    def features(x: Array) -> Array:
        one = jnp.ones((len(x), 1))
        hidden = jax.nn.relu(jnp.concatenate([x, one], 1) @ projection) / jnp.sqrt(x.shape[1] + 1.0)
        return jnp.concatenate([x, one, hidden], axis=1)

    def cross_entropy(weights: Array, x: Array, y: Array) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(x @ weights, y).mean()

    seen, optimiser = features(train_x), optax.adam(optax.cosine_decay_schedule(PROBE_LR, PROBE_STEPS))

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        weights, opt_state = carry
        grad = jax.grad(lambda w: cross_entropy(w, seen, train_y) + PROBE_DECAY * jnp.sum(w * w))(weights)
        update, opt_state = optimiser.update(grad, opt_state)
        return (weights + update, opt_state), None

    weights = jnp.zeros((seen.shape[1], len(classes)))
    (weights, _), _ = jax.lax.scan(step, (weights, optimiser.init(weights)), length=PROBE_STEPS)
    return cross_entropy(weights, features(test_x), test_y)
