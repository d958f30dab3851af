"""Batches of environments and what a rollout records of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.rollout import Moved, rollout, start
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from learners import lively

STAY = {"speaker": np.zeros((6, 1), np.int32), "listener": np.zeros((6, 1), np.int32)}
RIGHT = {"speaker": np.zeros((6, 1), np.int32), "listener": np.full((6, 1), 2, np.int32)}


@pytest.fixture(scope="module")
def recorded():
    """60 steps of 6 environments of 25 steps each, listeners walking right; the value of an observation is its sum."""
    batch = Batch(make_env("simple_speaker_listener_v4"), 6)

    def act(key, now):
        return Moved(RIGHT, jnp.zeros((6, 2)), now.memory + 1, now.memory)

    def value(key, now):
        return jnp.stack([now.obs["listener"].sum((1, 2))] * 2, axis=-1)

    @jax.jit
    def play():
        memory = jnp.zeros(6, int)
        first = start(batch, memory, jax.random.key(0))
        return first, *rollout(batch, act, value, jax.random.key(1), first, memory, 60)

    return batch, *jax.device_get(play())


def test_an_episode_has_exactly_as_many_steps_as_asked(recorded):
    _, _, after, traj = recorded
    expected = np.zeros((60, 6), bool)
    expected[[24, 49]] = True
    np.testing.assert_array_equal(traj.truncated, expected)
    assert not traj.terminated.any()
    assert after.env.t == 10


def test_the_batch_is_what_single_environments_do(recorded):
    batch, first, _, traj = recorded
    axes = batch.env.state_axes
    state = jax.tree.map(lambda x, axis: x if axis is None else x[3], first.env, axes, is_leaf=lambda x: x is None)
    rewards, observe, step = [], jax.jit(batch.env.observe), jax.jit(batch.env.step)
    for t in range(25):
        np.testing.assert_allclose(observe(state)["listener"], traj.obs["listener"][t, 3], atol=1e-6)
        state, ts = step(jax.random.key(0), state, {g: a[3] for g, a in RIGHT.items()})
        rewards.append(ts.reward)
    np.testing.assert_allclose(np.stack(rewards), traj.rewards[:25, 3], rtol=1e-5)
    np.testing.assert_allclose(np.mean(rewards, axis=1).sum(), traj.returns[24, 3], rtol=1e-5)
    # the value of the true last observation, before the restart
    np.testing.assert_allclose(ts.obs["listener"].sum(), traj.at_end[24, 3, 0], rtol=1e-5)


def test_memory_lasts_for_an_episode(recorded):
    """This team counts its steps."""
    _, _, after, traj = recorded
    np.testing.assert_array_equal(traj.circumstances[:, 4], np.arange(60) % 25)
    np.testing.assert_array_equal(after.memory, 10)


def test_nothing_but_the_last_step_has_a_final_value_or_a_return(recorded):
    *_, traj = recorded
    last = np.isin(np.arange(60), [24, 49])
    for noted in (traj.at_end, traj.returns):
        assert not noted[~last].any() and noted[last].all()


def test_every_episode_starts_afresh_and_at_rest(recorded):
    *_, traj = recorded
    seen = traj.obs["listener"][:, :, 0]
    starts = seen[[0, 25, 50]]
    assert not starts[..., :2].any()
    flat = starts[..., 2:8].reshape(18, 6)
    assert len(np.unique(flat.round(5), axis=0)) == 18
    assert (seen[1:25, :, 0] > 0).all()


def test_truncation_bootstraps_from_the_true_last_observation():
    """With a discount of 1, λ = 1 and a critic that says 7 everywhere, every return is what is left to earn plus 7.

    Unless nothing is to follow the end of the clock: then those of the finished episode are without it.
    """
    changes = {"env.name": "simple_speaker_listener_v4", "num_envs": 6, "num_minibatches": 1}
    cfg = default_cfg().replace({**changes, "gamma": 1.0, "gae_lambda": 1.0})
    learner = Mappo(cfg, make_env(cfg.env.name))
    without = Mappo(cfg.replace(bootstrap_truncated=False), learner.env)
    state = lively(learner)
    seven = jax.tree_util.tree_map_with_path(
        lambda path, x: np.full_like(x, 7.0 * ("value" in str(path) and "bias" in str(path))), state.params.critic
    )
    state = state._replace(params=state.params._replace(critic=seven))

    @jax.jit
    def rewards_and_returns(state):
        memory = state.rollout.memory
        after, traj = rollout(
            learner.batch,
            lambda key, now: Moved(STAY, jnp.zeros((6, 2)), memory, {}),
            lambda key, now: learner.values(state, key, now),
            jax.random.key(1),
            state.rollout,
            memory,
            40,
        )
        of_both = (of.prepare(state, traj, after, jax.random.key(2))[2].returns for of in (learner, without))
        return traj.rewards, *of_both

    rewards, returns, cut_short = rewards_and_returns(state)
    left = np.cumsum(np.asarray(rewards)[::-1], axis=0)[::-1]
    left[:25] -= left[25]
    np.testing.assert_allclose(returns, left + 7, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(cut_short, left + 7 * (np.arange(40) >= 25)[:, None, None], rtol=1e-4, atol=1e-3)


def test_a_lively_state_is_a_start():
    """The state that many tests begin with is what training begins with, but for parameters and luck."""
    changes = {"env.name": "simple_speaker_listener_v4", "num_envs": 6, "comm.delay": 1, "comm.gate": "learned"}
    cfg = default_cfg().replace({**changes, "num_minibatches": 1, "comm.loss": 0.5, "comm.loss_burst": 2})
    learner = Mappo(cfg, make_env(cfg.env.name))
    known, start = lively(learner), jax.jit(lambda key: learner.init(key)._replace(params=None))(jax.random.key(0))
    rest = [s._replace(params=None, key=None, rollout=s.rollout._replace(env=None, obs=None)) for s in (known, start)]
    jax.tree.map(np.testing.assert_array_equal, *rest)
    begun = [s.rollout.env._replace(choice=0, landmarks=0, pos=0) for s in (known, start)]
    jax.tree.map(np.testing.assert_array_equal, *begun)
