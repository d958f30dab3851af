"""Learners in a state where everything matters, and runs of them."""

import jax
import numpy as np

from jaxmarl_comm import default_cfg
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner

FEW = {"num_iters": 1, "num_envs": 4, "num_minibatches": 1, "hidden_dim": 8, "eval_episodes_mpe2": 0}


def lively(learner, size=0.3):
    """A state as at the start, but for parameters that are all of about this size, biases and last layers included.

    numpy draws them: to compile the draws of `learner.init`, which falls away here, takes longer than a rollout.
    """
    key, rng = jax.random.key(0), np.random.default_rng(0)
    state = jax.jit(lambda key: learner.init(key)._replace(params=None))(key)
    shapes = jax.eval_shape(learner.init, key).params
    return state._replace(params=jax.tree.map(lambda x: rng.normal(0, size, x.shape).astype(x.dtype), shapes))


def lively_run(path, alter=lambda state: state, **changes):
    """A run folder with one checkpoint, of parameters as above: nothing is trained or compiled. alter: its state."""
    cfg = default_cfg().replace({**FEW, **changes})
    runner = Runner(cfg, RunFolder.create(path, cfg))
    rng = np.random.default_rng(cfg.seed)

    def draw(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.split(jax.random.key(0), x.shape)
        return (rng.normal(0, 1, x.shape) if x.dtype.kind == "f" else np.zeros(x.shape)).astype(x.dtype)

    state = jax.tree.map(draw, jax.eval_shape(runner.init, runner.seed_keys))
    runner.save(cfg.num_iters, alter(state))
    return path
