"""Learners in a state where everything matters."""

from functools import cache

import jax
import numpy as np

from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.envs.batch import Batch

KEY = jax.random.key(0)


def lively(learner, size=0.3):
    """A state as at the start, but for parameters that are all of about this size, biases and last layers included.

    numpy draws them, and only a task's reset is compiled, once: to compile `learner.init` takes longer than a rollout.
    """
    shapes, rng = jax.eval_shape(learner.init, KEY), np.random.default_rng(0)
    nothing = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes._replace(key=None))
    env, obs = begun(learner.env, learner.cfg.num_envs)
    state = nothing._replace(
        params=jax.tree.map(lambda x: rng.normal(0, size, x.shape).astype(x.dtype), shapes.params),
        rollout=nothing.rollout._replace(env=env, obs=obs),
        hparams=of_config(learner.cfg),
        key=KEY,
    )
    return jax.device_put(state)


def assert_learns(learner):
    """One update moves every parameter, and its metrics are finite; the rollout is to end an episode."""
    state = lively(learner)
    after, metrics = jax.jit(learner.update)(state)
    assert all(np.isfinite(x) for x in metrics.values())
    still = jax.tree.map(np.array_equal, state.params, after.params)
    assert not any(jax.tree.leaves(still))


@cache
def begun(env, num_envs):
    """(state, observations) of a batch of environments at the start of their episodes."""
    state, ts = jax.jit(Batch(env, num_envs).reset)(KEY)
    return state, ts.obs
