"""Learners in a state where everything matters."""

import jax
import numpy as np


def lively(learner, size=0.3):
    """A state as at the start, but for parameters that are all of about this size, biases and last layers included.

    numpy draws them: to compile the draws of `learner.init`, which falls away here, takes longer than a rollout.
    """
    key, rng = jax.random.key(0), np.random.default_rng(0)
    state = jax.jit(lambda key: learner.init(key)._replace(params=None))(key)
    shapes = jax.eval_shape(learner.init, key).params
    return state._replace(params=jax.tree.map(lambda x: rng.normal(0, size, x.shape).astype(x.dtype), shapes))
