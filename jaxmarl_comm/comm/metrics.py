"""Does anyone talk, and does anyone listen? Estimators, in nats, from `[n]` samples.

None of the measures of speaking shows that anyone listens: read them beside `causal_influence`, and the return with
messages muted and shuffled (Lowe et al. 2019, "On the pitfalls of measuring emergent communication").
"""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.comm.probe import CONSTANT, held_out_cross_entropy

Array = jax.Array

MAX_DISTINCT = 32  # messages of more different values are clustered
SAMPLES_PER_SYMBOL = 8  # what few samples show to differ may still be numbers that never repeat
CLUSTERS = 8
CLUSTER_SAMPLES = 10_000  # clusters are found on the first ones; the others are only assigned
PROBE_SAMPLES = 20_000  # a probe learns from the first half of the first ones, and is judged by the second
SAME = 1e-4  # differences of this share of a message's spread are float noise
FEWEST_SENT = 16  # of fewer messages at a step, or with a key, nothing is said


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
    from scipy.cluster import vq  # it takes long to import, and nobody needs it in training

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
    return _plug_in(contingency(a, b))


def _plug_in(counts: np.ndarray) -> float:
    """I of a table of counts."""
    return max(0.0, _entropy_of(counts.sum(axis=1)) + _entropy_of(counts.sum(axis=0)) - _entropy_of(counts))


def _excess(counts: np.ndarray) -> float:
    """By how much the plug-in I of a table is too large, to first order, going by the cells in use (Miller 1955)."""
    rows, columns = (np.count_nonzero(counts.sum(axis=axis)) for axis in (1, 0))
    return (np.count_nonzero(counts) - rows - columns + 1) / (2 * counts.sum())


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

    H(mean over k of p(a | m_k)) less the mean of H(p(a | m_k)), which is the mean of KL(p(a | m_k) || p(a)) (causal
    influence of communication, Lowe et al. 2019; social influence, Jaques et al. 2019), but finite where probabilities
    vanish. From 0, exactly, if messages change nothing, to ln K; on average too small for messages drawn from p(m), for
    actions that follow from messages by about (actions in use - 1) / 2K.
    """
    gap = _entropies(probs.mean(axis=0)) - _entropies(probs).mean(axis=0)
    return jnp.where((probs == probs[0]).all(axis=(0, -1)), 0.0, _within(gap, np.log(len(probs))))


def _entropies(probs: Array) -> Array:
    """`[...]` nats, of `[..., A]`, with 0 log 0 = 0."""
    return -(probs * jnp.log(jnp.maximum(probs, jnp.finfo(probs.dtype).tiny))).sum(axis=-1)


def _within(x: Array, most: float) -> Array:
    """From 0 to `most`, cutting rounding errors; NaN stays NaN, which minima and maxima may lose on a CPU."""
    return jnp.where(x > most, most, jnp.where(x < 0, 0.0, x))


def total_variation(p: Array, q: Array) -> Array:
    """`[...]`, 0 to 1: half the L1 distance of two distributions `[..., A]`."""
    return _within(jnp.abs(p - q).sum(axis=-1) / 2, 1.0)


def jensen_shannon(p: Array, q: Array) -> Array:
    """`[...]` nats, 0 to ln 2: I(which of the two; action) of two distributions `[..., A]` (Lin 1991)."""
    return causal_influence(jnp.stack([p, q]))


def sampled_total_variation(log_odds: Array) -> Array:
    """`[...]`, 0 to 1, unbiased: of log p(x) - log q(x) `[2, ...]` at draws x, the first of p and the second of q.

    The mean of |p - q| / (p + q) over the mixture of p and q.
    """
    return jnp.abs(jnp.tanh(log_odds / 2)).mean(axis=0)


def sampled_jensen_shannon(log_odds: Array) -> Array:
    """`[...]` nats, 0 to ln 2, unbiased, from the same: ln 2 less the entropy of which of the two it was, given x."""
    which = jax.nn.sigmoid(jnp.stack([log_odds, -log_odds], axis=-1))
    return _within(np.log(2) - _entropies(which).mean(axis=0), np.log(2))


def message_information(messages: np.ndarray, goals: np.ndarray, num_goals: int) -> float:
    """I(message; goal) of messages `[n, M]` and goals `[n]`: plug-in for words and few distinct ones, else the probe's.

    So the bias is that of `mutual_information`, or it is a lower bound. NaN of messages that are not finite.
    """
    if not np.isfinite(messages).all():
        return np.nan
    found = distinct_symbols(messages)
    if found is None:
        return probe_information(messages, goals, num_goals)
    return mutual_information(found, goals)


def information_given(messages: np.ndarray, goals: np.ndarray, num_goals: int, key: np.ndarray) -> float:
    """I(message; goal | key) of messages `[n, M]`, goals `[n]` and keys `[n]`: the mean over keys, as often as each is.

    NaN if one is met in fewer than FEWEST_SENT messages.
    """
    keys, counts = np.unique(key, return_counts=True)
    if counts.min() < FEWEST_SENT:
        return np.nan
    parts = [message_information(messages[key == k], goals[key == k], num_goals) for k in keys]
    return float(np.average(parts, weights=counts))


def probe_information(messages: np.ndarray, goals: np.ndarray, num_goals: int) -> float:
    """Lower bound on I(message; goal) of real-valued messages `[n, M]` and goals `[n]`; never below 0.

    A probe learns to tell the goal from half of the first PROBE_SAMPLES messages; on the other half, the entropy of the
    goal less the probe's cross-entropy is a lower bound in expectation (Barber and Agakov 2003).
    """
    some, told = messages[:PROBE_SAMPLES, None], goals[:PROBE_SAMPLES]
    return float(_probed(some, np.ones((len(told), 1), bool), told, num_goals)[0])


def information_by_step(messages: np.ndarray, sent: np.ndarray, goals: np.ndarray, num_goals: int) -> np.ndarray:
    """`[T]`: I(message; goal) of the messages that are sent at each step; NaN where fewer than FEWEST_SENT are.

    messages: `[n, T, M]` of n episodes; sent: `[n, T]` bool; goals: `[n]`. Words and few distinct messages: plug-in,
    its bias corrected to first order (Miller 1955), so that it may be slightly negative; else the probe's lower bound.
    All NaN if messages are not finite. What is told by sending at all is left out: `message_information` has it.
    """
    enough, curve = sent.sum(axis=0) >= FEWEST_SENT, np.full(sent.shape[1], np.nan)
    if not enough.any() or not np.isfinite(messages[sent]).all():
        return curve
    found = distinct_symbols(messages[sent])
    if found is None:
        curve[enough] = _probed(messages[:, enough], sent[:, enough], goals, num_goals)
        return curve
    spoken = np.zeros(sent.shape, int)
    spoken[sent] = found
    for step in np.flatnonzero(enough):
        counts = contingency(spoken[sent[:, step], step], goals[sent[:, step]])
        curve[step] = _plug_in(counts) - _excess(counts)
    return curve


def mean_over_steps(curve: np.ndarray, sent: np.ndarray) -> float:
    """I(message; goal | step), not below 0: the mean of `information_by_step`, each step weighing as much as is sent.

    0 if nothing ever is; NaN if that is unknown.
    """
    weights = np.where(np.isfinite(curve), sent.sum(axis=0), 0)
    if not weights.any():
        return np.nan if sent.any() else 0.0
    return max(0.0, float(np.average(np.nan_to_num(curve), weights=weights)))


def _probed(messages: np.ndarray, counted: np.ndarray, goals: np.ndarray, num_goals: int) -> np.ndarray:
    """`[T]`: what a probe for each step tells of goals `[n]` from messages `[n, T, M]`, where `counted` `[n, T]`."""
    cross_entropy = held_out_cross_entropy(messages, counted, goals, num_goals)
    half = len(goals) // 2
    entropies = [entropy(goals[half:][tested]) for tested in counted[half:].T]
    return np.maximum(0.0, entropies - cross_entropy)
