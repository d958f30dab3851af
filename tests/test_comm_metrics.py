"""Estimators of what messages tell, on speakers whose true value is known."""

import numpy as np
import pytest

from jaxmarl_comm.comm.metrics import entropy, histogram_entropy, mutual_information, probe_information

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


def test_histogram_entropy():
    assert histogram_entropy(np.zeros((10, 2))) == 0
    assert histogram_entropy(np.linspace(0, 1, 1600)[:, None]) == pytest.approx(np.log(16), abs=0.01)
