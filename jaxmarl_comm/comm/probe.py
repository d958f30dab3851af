"""A probe: how well goals can be read from real-valued messages."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

Array = jax.Array

FEATURES = 64
STEPS = 300
LR = 0.05
DECAY = 1e-4  # weight of the squared parameters, so that a babbler's probe does not memorise
CONSTANT = 1e-6  # a spread of this share of a message's size is float noise
FARTHEST = 10.0  # in standard deviations; what hardly varied while the probe learned may jump later


def held_out_cross_entropy(messages: np.ndarray, counted: np.ndarray, goals: np.ndarray, num_goals: int) -> np.ndarray:
    """`[T]` nats, a probe's on the second half of messages `[n, T, M]`, having learned from the first half.

    There is one probe for each step of T, which tells goals `[n]` from the messages where `counted` `[n, T]`, bool. A
    step where one of the halves has no such message is 0.
    """
    half, labels = len(goals) // 2, jnp.asarray(goals)
    inputs = [_whiten(messages[:, t], np.flatnonzero(counted[:half, t])) for t in range(counted.shape[1])]
    weights = counted.T.astype(np.float32)
    return np.asarray(_learn_and_test(jnp.stack(inputs), jnp.asarray(weights), labels, jnp.zeros(num_goals)))


def _whiten(messages: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """`[n, M]` float32: messages in which numbers are uncorrelated, of variance 1 (as in the rows `learned`).

    So what all numbers share does not hide what few of them tell, however large it is. In float64 on the way, so that
    a message that hardly varies keeps its digits.
    """
    centred = messages - messages[learned].mean(axis=0, dtype=np.float64) if len(learned) else 0.0 * messages
    variance, directions = np.linalg.eigh(centred[learned].T @ centred[learned] / max(1, len(learned)))
    noise = (CONSTANT * np.abs(messages).max()) ** 2
    scale = np.where(variance > noise, 1 / np.sqrt(np.maximum(variance, np.finfo(float).tiny)), 0.0)
    return np.clip(centred @ directions * scale, -FARTHEST, FARTHEST).astype(np.float32)


@jax.jit
def _learn_and_test(inputs: Array, weights: Array, labels: Array, classes: Array) -> Array:
    """`[T]` from inputs `[T, n, M]`, weights `[T, n]` and labels `[n]`. classes: one number for each.

    One probe after the other: CPUs take three times as long for many small products of matrices at once.
    """
    return jax.lax.map(lambda step: _of_step(step[0], step[1], labels, classes), (inputs, weights))


def _of_step(inputs: Array, weights: Array, labels: Array, classes: Array) -> Array:
    """Softmax regression on the message and on random ReLU features of it, which make it non-linear but convex."""
    n, width = inputs.shape
    projection = jax.random.normal(jax.random.key(0), (width + 1, FEATURES))
    one = jnp.ones((n, 1))
    hidden = jax.nn.relu(jnp.concatenate([inputs, one], 1) @ projection) / jnp.sqrt(width + 1.0)
    features = jnp.concatenate([inputs, one, hidden], axis=1)

    def cross_entropy(matrix: Array, x: Array, y: Array, weight: Array) -> Array:
        each = optax.softmax_cross_entropy_with_integer_labels(x @ matrix, y)
        return (each * weight).sum() / jnp.maximum(weight.sum(), 1)

    learned, tested = ([x[rows] for x in (features, labels, weights)] for rows in (slice(n // 2), slice(n // 2, n)))
    optimiser = optax.adam(optax.cosine_decay_schedule(LR, STEPS))

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        matrix, opt_state = carry
        grad = jax.grad(lambda w: cross_entropy(w, *learned) + DECAY * jnp.sum(w * w))(matrix)
        update, opt_state = optimiser.update(grad, opt_state)
        return (matrix + update, opt_state), None

    matrix = jnp.zeros((features.shape[1], len(classes)))
    (matrix, _), _ = jax.lax.scan(step, (matrix, optimiser.init(matrix)), length=STEPS)
    return cross_entropy(matrix, *tested)
