"""Estimators of what messages tell, on speakers whose true value is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from jaxmarl_comm.comm.metrics import (
    causal_influence,
    context_independence,
    distinct_symbols,
    entropy,
    information_by_step,
    information_given,
    jensen_shannon,
    mean_over_steps,
    message_information,
    mutual_information,
    probe_information,
    sampled_jensen_shannon,
    sampled_total_variation,
    symbols,
    total_variation,
)

N = 6000
LN3 = np.log(3)
RNG = np.random.default_rng(0)
GOALS = RNG.integers(3, size=N)
CODE = np.array([[0.3, -1.0], [0.3, 1.0], [-0.5, 0.0]], np.float32)


def test_entropy_of_known_symbols():
    assert entropy(np.array([0, 0, 1, 1])) == pytest.approx(np.log(2))
    assert entropy(np.zeros(10)) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (np.array([7, 2, 5])[GOALS], LN3),  # a perfect code
        (RNG.integers(10, size=N), 0.0),  # a babbler
        (np.array([0, 1, 1])[GOALS], LN3 - 2 / 3 * np.log(2)),  # a code of one bit
    ],
)
def test_information_of_words(words, expected):
    assert mutual_information(words, GOALS) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (CODE[GOALS] + RNG.normal(0, 0.05, (N, 2)).astype(np.float32), LN3),
        (RNG.normal(size=(N, 2)).astype(np.float32), 0.0),
        (CODE[GOALS] * [1, 0] + RNG.normal(0, 0.01, (N, 2)), LN3 - 2 / 3 * np.log(2)),
        (1e-4 * CODE[GOALS], LN3),  # whispering is still telling
    ],
)
def test_information_of_real_valued_messages(messages, expected):
    measured = probe_information(messages.astype(np.float32), GOALS, 3)
    assert measured == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("nuisance", [30, 1000])
def test_what_all_numbers_share_does_not_hide_a_code(nuisance):
    code = np.pad(CODE, ((0, 0), (0, 4)))[GOALS] + RNG.normal(0, 0.05, (N, 6))
    messages = code + nuisance * RNG.normal(size=(N, 1)) * [1, 1, -1, 1, 1, -1]
    assert probe_information(messages.astype(np.float32), GOALS, 3) > 1.0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_messages_that_are_not_finite_tell_nothing_that_is_known(wrong):
    messages = np.where(np.arange(N)[:, None] == 7, wrong, CODE[GOALS])
    assert np.isnan(message_information(messages, GOALS, 3))
    sent = np.ones((N, 1), bool)
    assert np.isnan(mean_over_steps(information_by_step(messages[:, None], sent, GOALS, 3), sent))


# Codes along five steps: the message `[n, T, M]` that each step has for each goal, and the steps at which it is sent.
EPISODES, T = 1500, 5
ITS_GOALS = GOALS[:EPISODES]
SHIFTED = (ITS_GOALS[:, None] + np.arange(T)) % 3  # at each step the words are permuted
ALWAYS = np.ones((EPISODES, T), bool)
ONCE = np.arange(T) == RNG.integers(T, size=(EPISODES, 1))
HISS = RNG.normal(0, 0.02, (EPISODES, T, 2))


@pytest.mark.parametrize(
    ("messages", "sent", "expected", "spread"),
    [
        (np.eye(3)[SHIFTED], ALWAYS, LN3, 0.01),
        (CODE[SHIFTED] + HISS, ALWAYS, LN3, 0.05),
        (np.eye(3)[SHIFTED] * ONCE[..., None], ONCE, LN3, 0.01),  # one message, at a random step
        (np.eye(3)[SHIFTED], ALWAYS & (np.arange(T) == 0), LN3, 0.01),  # at the first step
        (CODE[SHIFTED] + HISS, ALWAYS & (np.arange(T) == 0), LN3, 0.05),
        (np.eye(10)[RNG.integers(10, size=(EPISODES, T))], ALWAYS, 0, 0.005),  # a babbler
        (HISS, ALWAYS, 0, 0.01),
        (np.zeros((EPISODES, T, 2)), ~ALWAYS, 0, 0),  # silence
    ],
)
def test_information_given_the_step(messages, sent, expected, spread):
    curve = information_by_step(messages.astype(np.float32), sent, ITS_GOALS, 3)
    assert np.isnan(curve[~sent.any(axis=0)]).all()
    assert mean_over_steps(curve, sent) == pytest.approx(expected, abs=spread)


def test_a_one_time_pad_tells_all_to_those_who_have_the_key_and_nothing_to_others():
    rng = np.random.default_rng(0)
    goals, key = rng.integers(2, size=(2, 4000))
    padded, plain = (np.eye(4)[word] for word in ((goals + key) % 2, goals))
    assert information_given(padded, goals, 2, key) == pytest.approx(np.log(2), abs=1e-3)
    assert message_information(padded, goals, 2) == pytest.approx(0, abs=1e-3)
    assert information_given(plain, goals, 2, key) == pytest.approx(np.log(2), abs=1e-3)
    assert np.isnan(information_given(padded[:20], goals[:20], 2, key[:20]))


def test_of_a_handful_of_messages_nothing_is_said():
    sent = np.arange(EPISODES)[:, None] < [10, 0]
    curve = information_by_step(np.zeros((EPISODES, 2, 1)), sent, ITS_GOALS, 3)
    assert np.isnan(mean_over_steps(curve, sent))


def test_the_probe_reads_a_code_that_no_straight_line_separates():
    ring = np.array([0.0, 1.0, 2.0])[GOALS, None] * RNG.choice([-1, 1], (N, 1)) + RNG.normal(0, 0.1, (N, 1))
    assert probe_information(ring.astype(np.float32), GOALS, 3) > 0.95


WORDS = np.eye(10, dtype=np.float32)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (WORDS[np.array([7, 2, 5])[GOALS]], np.array([7, 2, 5])[GOALS]),  # words are what they are
        (np.zeros((N, 4)), np.zeros(N)),  # always the same
        (3 + 1e-7 * RNG.random((N, 4)), np.zeros(N)),  # the same up to float noise
    ],
)
def test_symbols_that_are_known(messages, expected):
    np.testing.assert_array_equal(symbols(messages), expected)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_few_distinct_messages_are_symbols_without_loss(scale):
    messages = scale * (CODE[GOALS] + 1e-6 * RNG.random((N, 2)))
    assert mutual_information(symbols(messages), GOALS) == pytest.approx(entropy(GOALS))
    assert message_information(messages, GOALS, 3) == pytest.approx(entropy(GOALS))


def test_other_messages_are_clustered_and_lose_little_of_a_code():
    messages = CODE[GOALS] + RNG.normal(0, 0.02, (N, 2))
    assert distinct_symbols(messages) is None
    found = symbols(messages)
    assert len(np.unique(found)) <= 8
    np.testing.assert_array_equal(found, symbols(messages))
    assert mutual_information(found, GOALS) == pytest.approx(LN3, abs=0.01)
    assert mutual_information(symbols(RNG.normal(size=(N, 2))), GOALS) < 0.01


def test_a_handful_of_messages_that_never_repeat_is_not_a_code():
    assert distinct_symbols(RNG.normal(size=(20, 2))) is None
    assert len(symbols(RNG.normal(size=(4, 2)))) == 4


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (np.array([7, 2, 5])[GOALS], 1.0),  # a perfect code
        (RNG.integers(3, size=N), 1 / 9),  # a babbler: p(m | c) = p(c | m) = 1/3
        (np.array([0, 1, 1])[GOALS], 2 / 3),  # a code of one bit: (1 + 1/2 + 1/2) / 3
        (2 * GOALS + RNG.integers(2, size=N), 0.5),  # two synonyms for each goal
    ],
)
def test_context_independence(words, expected):
    assert context_independence(words, GOALS) == pytest.approx(expected, abs=0.02)


def test_context_independence_prefers_the_frequent_one_of_two_sure_words():
    assert context_independence(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 0])) == 0.75


@pytest.mark.parametrize(
    ("probs", "expected"),
    [
        ([[0.1, 0.2, 0.7]] * 7, 0.0),  # nobody listens: exactly 0, whatever the floats
        ([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 8, np.log(2)),  # what is heard is what is done
        (np.eye(5), np.log(5)),  # as large as it can be
        # One of two equally probable messages moves the action from certain to a coin's: H(3/4, 1/4) - H(1/2, 1/2) / 2.
        ([[1.0, 0.0], [0.5, 0.5]], 0.75 * np.log(4 / 3) + 0.25 * np.log(4) - np.log(2) / 2),
        ([[1.0, 0.0]] * 15 + [[1.0, 5e-38]], 0.0),  # a mean that underflows
        (softmax([[0.0, 300.0]] * 8 + [[300.0, 0.0]] * 8, axis=1), np.log(2)),
    ],
)
def test_causal_influence_by_hand(probs, expected):
    found = float(jax.jit(causal_influence)(np.array(probs, np.float32)))
    assert found == expected if expected == 0 else found == pytest.approx(expected, abs=1e-6)


def test_influence_that_is_unknown_is_so_alone():
    probs = np.full((4, 2, 3), 1 / 3)
    probs[1, 0, 2] = np.nan
    np.testing.assert_array_equal(jax.jit(causal_influence)(probs), [np.nan, 0])
    np.testing.assert_array_equal(jax.jit(total_variation)(probs[0], probs[1]), [np.nan, 0])


@pytest.mark.parametrize(
    ("p", "q", "variation", "divergence"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5], 0, 0),
        ([1, 0, 0], [0, 0, 1], 1, np.log(2)),
        ([1, 0, 0], [1, 1e-40, 0], 0, 0),
        ([0.5, 0.5], [1, 0], 0.5, 0.75 * np.log(4 / 3) + 0.25 * np.log(4) - np.log(2) / 2),
    ],
)
def test_distances_of_distributions_by_hand(p, q, variation, divergence):
    found = jax.jit(lambda p, q: (total_variation(p, q), jensen_shannon(p, q)))(np.float32(p), np.float32(q))
    np.testing.assert_allclose(found, [variation, divergence], rtol=1e-6, atol=1e-6)


def test_distances_from_draws_are_bounded_and_right():
    p, q = np.array([0.1, 0.2, 0.7]), np.array([0.6, 0.3, 0.1])
    draws = np.stack([RNG.choice(3, 40_000, p=x) for x in (p, q)])
    odds, far = np.log(p / q)[draws], np.array([[0.0, 1e4], [0.0, -1e4]])
    sampled = jax.jit(lambda odds: (sampled_total_variation(odds), sampled_jensen_shannon(odds)))
    exact = jax.jit(lambda: (total_variation(jnp.array(p), jnp.array(q)), jensen_shannon(jnp.array(p), jnp.array(q))))()
    for found, expected, spread in zip(jax.device_get(sampled(odds)), exact, (0.01, 0.005), strict=True):
        assert found.mean() == pytest.approx(float(expected), abs=spread)
    for found, expected in zip(sampled(far), ([0, 1], [0, np.log(2)]), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-6)
