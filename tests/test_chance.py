"""Cheap random numbers: what they are like, whatever shapes are asked for."""

import jax
import numpy as np

from jaxmarl_comm.envs.chance import STEPS, chances, sixteen_bits


def test_numbers_are_uniform_and_independent():
    drawn = np.asarray(jax.vmap(lambda key: chances(key, [(5,)])[0])(jax.random.split(jax.random.key(0), 40_000)))
    assert 0 < drawn.min() < 1e-4 and 1 - 1e-4 < drawn.max() < 1
    counts = np.apply_along_axis(lambda x: np.histogram(x, 16, (0, 1))[0], 0, drawn)
    assert ((counts - 2500) ** 2 / 2500).sum(axis=0).max() < 37.7  # chi squared of 15 degrees: one in a thousand
    correlation = np.corrcoef(drawn.T) - np.eye(5)  # two of them are halves of one word
    assert abs(correlation).max() < 4 / 200


def test_shapes_are_those_asked_for():
    asked = [(3,), (), (0,), (2, 4)]
    parts = chances(jax.random.key(1), asked)
    assert [part.shape for part in parts] == asked
    flat = np.concatenate([np.ravel(part) for part in parts])
    assert len(set(flat.tolist())) == 12
    bits = sixteen_bits(jax.random.key(2), (4, 3))
    assert bits.shape == (4, 3) and bits.dtype == np.uint32 and bits.max() < STEPS
