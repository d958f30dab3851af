"""Does anyone talk, and does anyone listen? Estimators, in nats, from `[n]` samples.

None of the measures of speaking shows that anyone listens: read them beside `causal_influence`, and the return with
messages muted and shuffled (Lowe et al. 2019, "On the pitfalls of measuring emergent communication").
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.cluster import vq

Array = jax.Array

MAX_DISTINCT = 32  # messages of more different values are clustered
SAMPLES_PER_SYMBOL = 8  # what few samples show to differ may still be numbers that never repeat
CLUSTERS = 8
CLUSTER_SAMPLES = 10_000  # clusters are found on the first ones; the others are only assigned
SAME = 1e-4  # differences of this share of a message's spread are float noise
CONSTANT = 1e-6  # a spread of this share of a message's size is float noise, too

PROBE_FEATURES = 64
PROBE_STEPS = 300
PROBE_LR = 0.05
PROBE_DECAY = 1e-4  # weight of the squared parameters, so that a babbler's probe does not memorise


def symbols(messages: np.ndarray) -> np.ndarray:
    """`[n]` whole numbers that stand for messages `[n, M]`: words as they are, the few distinct messages, or clusters.

    A function of the message: by the data-processing inequality, what symbols tell about anything is at most what the
    messages tell (up to the bias of the estimator, which the number of symbols keeps small).
    """
    found = distinct_symbols(messages)
    return _clusters(messages) if found is None else found


def distinct_symbols(messages: np.ndarray) -> np.ndarray | None:
    """The same, lossless: the word of each one-hot message, or the number of each distinct one; None if too many."""
    if messages.shape[1] > 1 and ((messages == 0) | (messages == 1)).all() and (messages.sum(axis=1) == 1).all():
        return messages.argmax(axis=1)
    most = min(MAX_DISTINCT, len(messages) // SAMPLES_PER_SYMBOL)
    rounded = np.round(_centred(messages) / SAME)
    if len(np.unique(rounded[:1000], axis=0)) > most:  # the usual case of real numbers, without sorting them all
        return None
    rows, index = np.unique(rounded, axis=0, return_inverse=True)
    return index.ravel() if len(rows) <= most else None


def _centred(messages: np.ndarray) -> np.ndarray:
    """Messages less their mean, in units of their spread over all numbers; zeros if all are the same.

    In float64, so that a message that hardly varies keeps its digits.
    """
    centred = messages - messages.mean(axis=0, dtype=np.float64)
    spread = np.sqrt((centred**2).mean())
    return np.zeros_like(centred) if spread <= CONSTANT * np.abs(messages).max() else centred / spread


def _clusters(messages: np.ndarray) -> np.ndarray:
    """`[n]`: the k-means cluster of each message, each of its numbers having variance 1; the same at every call."""
    centred = _centred(messages)
    scale = centred.std(axis=0)
    points = centred / np.where(scale > SAME, scale, np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters without members: fewer symbols are no harm
        some = points[:CLUSTER_SAMPLES]
        centres = vq.kmeans2(some, min(CLUSTERS, len(some)), minit="++", rng=np.random.default_rng(0))[0]
    return vq.vq(points, centres)[0]


def contingency(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`[#a, #b]`: how often each symbol of one `[n]` series meets each of the other."""
    (rows, row), (columns, column) = (np.unique(x, return_inverse=True) for x in (a, b))
    table = np.zeros((len(rows), len(columns)), int)
    np.add.at(table, (row, column), 1)
    return table


def entropy(series: np.ndarray) -> float:
    """Plug-in entropy of `[n]` symbols; too small by about (symbols in use - 1) / 2n (Miller 1955)."""
    return _entropy_of(np.unique(series, return_counts=True)[1])


def _entropy_of(counts: np.ndarray) -> float:
    p = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(p * np.log(p)).sum()))


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Plug-in I(a; b) of two `[n]` series of symbols; too large by about (#a - 1)(#b - 1) / 2n (Miller 1955)."""
    table = contingency(a, b)
    return max(0.0, _entropy_of(table.sum(axis=1)) + _entropy_of(table.sum(axis=0)) - _entropy_of(table))


def context_independence(spoken: np.ndarray, goals: np.ndarray) -> float:
    """How far each goal has a symbol of its own, from `[n]` symbols and goals: 1 for one symbol per goal and back.

    The mean over goals c of p(m_c | c) p(c | m_c), where m_c = argmax_m p(c | m) (Bogin et al. 2018, Lowe et al. 2019).
    Synonyms lower it as ambiguity does. A babbler of W symbols has about 1 / (W #goals). With few samples too small: a
    rare symbol may seem to be the surest.
    """
    counts = contingency(spoken, goals).astype(float)
    goal_of_symbol = counts / counts.sum(axis=1, keepdims=True)
    symbol_of_goal = counts / counts.sum(axis=0)
    order = np.lexsort((symbol_of_goal, goal_of_symbol), axis=0)  # of equally sure symbols, the more frequent one
    best, goal = order[-1], np.arange(counts.shape[1])
    return float((symbol_of_goal[best, goal] * goal_of_symbol[best, goal]).mean())


def causal_influence(probs: Array) -> Array:
    """I(message; action) under p(m) p(a | do(m)): probs `[K, ..., A]` of actions, had one heard each of K messages.

    The mean over k of KL(p(a | m_k) || p(a)), where p(a) is the mean over k (causal influence of communication, Lowe et
    al. 2019; social influence, Jaques et al. 2019). Exactly 0 if messages change nothing, at most ln K, and on average
    too small for messages drawn from p(m), for actions that follow from messages by about (actions in use - 1) / 2K.
    """
    marginal = probs[0] + (probs - probs[0]).mean(axis=0)  # so that the mean of K equal numbers is that number
    terms = jnp.where(probs == marginal, 0.0, jax.scipy.special.rel_entr(probs, marginal))
    return jnp.sum(terms, axis=-1).mean(axis=0)


def message_information(messages: np.ndarray, goals: np.ndarray, num_goals: int) -> float:
    """I(message; goal) of messages `[n, M]` and goals `[n]`: plug-in for words and few distinct ones, else the probe's.

    So the bias is that of `mutual_information`, or it is a lower bound.
    """
    found = distinct_symbols(messages)
    if found is None:
        return probe_information(messages, goals, num_goals)
    return mutual_information(found, goals)


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
