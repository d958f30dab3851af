"""Estimators of what messages tell, on speakers whose true value is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.comm.metrics import (
    causal_influence,
    context_independence,
    distinct_symbols,
    entropy,
    message_information,
    mutual_information,
    probe_information,
    symbols,
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
    ],
)
def test_causal_influence_by_hand(probs, expected):
    found = float(causal_influence(jnp.array(probs)))
    assert found == expected if expected == 0 else found == pytest.approx(expected, abs=1e-6)
