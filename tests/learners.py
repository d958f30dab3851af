"""Learners in a state where everything matters, and runs of them."""

from functools import cache

import jax
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import RUNS
from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.nets import layers
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.runner import Runner

KEY = jax.random.key(0)
FEW = {"num_iters": 1, "num_envs": 4, "num_minibatches": 1, "hidden_dim": 8, "eval_episodes_reference": 0}


def lively(learner, size=0.3, seed=0):
    """A state as at the start, but for parameters that are all of about this size, biases and last layers included.

    numpy draws them, and only a task's reset is compiled, once: to compile `learner.init` takes longer than a rollout.
    """
    shapes, rng = shapes_of_state(learner), np.random.default_rng(seed)
    nothing = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes._replace(key=None))
    env, obs = begun(learner.env, learner.cfg.num_envs)
    state = nothing._replace(
        params=jax.tree.map(lambda x: rng.normal(0, size, x.shape).astype(x.dtype), shapes.params),
        rollout=nothing.rollout._replace(env=env, obs=obs),
        hparams=of_config(type(shapes.hparams), learner.cfg),
        key=KEY,
    )
    return jax.device_put(state)


def shapes_of(init, keys):
    """What it would make of these keys, without the draws of kernels, which take longest to trace."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "orthogonal", lambda *_: jax.nn.initializers.zeros)
        return jax.eval_shape(lambda keys: init(keys), keys)  # a function that nobody else has, as traces are kept


@cache
def shapes_of_state(learner):
    return shapes_of(learner.init, KEY)


def lively_teams(learner, seeds, size=0.3):
    """The teams of such states, the seeds' axis first."""
    return jax.tree.map(lambda *x: np.stack(x), *(learner.team(lively(learner, size, seed)) for seed in seeds))


def assert_learns(learner):
    """One update moves every parameter, and its metrics are finite; the rollout is to end an episode."""
    state = lively(learner)
    after, metrics = jax.jit(learner.update)(state)
    assert all(np.isfinite(x) for x in metrics.values())
    still = jax.tree.map(np.array_equal, state.params, after.params)
    assert not any(jax.tree.leaves(still))


def assert_taught(learner):
    """No parameter is out of reach of the loss, all is finite, and a whole update fits together: to compile it takes
    twice as long.
    """
    state = lively(learner)

    @jax.jit
    def slope(state, traj):
        data, _, _ = learner.prepare(state, traj, state.rollout, KEY)
        return jax.grad(learner.loss, has_aux=True)(state.params, data, state.hparams, learner.team(state).numbers)

    grads, metrics = jax.device_get(slope(state, recorded(learner, state)))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((grads, metrics)))
    assert all(x.any() for x in jax.tree.leaves(grads))
    assert_fits_together(learner, state)


def among_others(update):
    """The same of one who learns beside others, of whom there are none here."""

    def of_one(state):
        row = jax.tree.map(lambda x: x[None], state)
        return jax.tree.map(lambda x: x[0], jax.vmap(update, axis_name=RUNS)(row))

    return of_one


def assert_fits_together(learner, state):
    """A whole update, as far as shapes go."""
    after, metrics = jax.eval_shape(among_others(learner.update), state)
    assert jax.tree.map(np.shape, after) == jax.tree.map(np.shape, state)
    assert {x.shape for x in metrics.values()} == {()}


def recorded(learner, state):
    """Steps as a rollout might have left them, drawn by numpy: where any luck will do, no rollout is compiled for it.

    Actions are 0 where they are discrete, and inside (0, 1) where they are not; nothing is lost, and nothing over.
    """
    rng = np.random.default_rng(1)

    def draw(path, x):
        size = rng.uniform(0.1, 0.9, x.shape) if "actions" in str(path[0]) else rng.normal(size=x.shape)
        return (size if x.dtype.kind == "f" else np.zeros(x.shape)).astype(x.dtype)

    traj = jax.tree_util.tree_map_with_path(draw, jax.eval_shape(learner.play, state, KEY)[1])
    if "clock" in traj.circumstances:
        steps = np.arange(learner.cfg.rollout_len, dtype=np.int32)
        traj.circumstances["clock"] += steps[:, None] % learner.env.max_cycles
    return traj


@cache
def begun(env, num_envs):
    """(state, observations) of a batch of environments at the start of their episodes."""
    state, ts = jax.jit(Batch(env, num_envs).reset)(KEY)
    return state, ts.obs


def lively_run(path, alter=lambda state: state, **changes):
    """A run folder with one checkpoint, of parameters as above: nothing is trained or compiled. alter: its state."""
    cfg = default_cfg().replace({**FEW, **changes})
    runner = Runner(cfg, RunFolder.create(path, cfg))
    rng = np.random.default_rng(cfg.seed)

    def draw(x):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            return jax.random.split(KEY, x.shape)
        return (rng.normal(0, 1, x.shape) if x.dtype.kind == "f" else np.zeros(x.shape)).astype(x.dtype)

    shapes = shapes_of(runner.init, runner.seed_keys)
    hparams = of_config(type(shapes.hparams), cfg)
    state = jax.tree.map(draw, shapes)._replace(
        hparams=jax.tree.map(lambda x: np.broadcast_to(x, (cfg.num_seeds, *x.shape)), hparams)
    )
    runner.save(cfg.num_iters, alter(state))
    return path


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
