"""Batches of environments that end early: each copy has its own clock and is restarted by itself."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.algorithms.rollout import Moved, RolloutState, Trajectory, rollout, start
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch


def test_only_ended_copies_restart() -> None:
    batch = Batch(make_env("simple_spread_v3", N=2, max_cycles=4, terminate_on_success=True), num_envs=3)
    reset, step, observe = map(jax.jit, (batch.reset, batch.step, batch.observe))
    state, _ = jax.device_get(reset(jax.random.key(0)))
    assert state.t.shape == (3,)
    first = (np.arange(3) == 0)[:, None, None]  # a success, but for the clock
    state = state._replace(t=np.array([0, 1, 3]), pos=np.where(first, state.landmarks, state.pos))
    stay = {"agent": np.zeros((3, 2), int)}
    state, ts = jax.device_get(step(jax.random.key(1), state, stay))
    assert ts.terminated.tolist() == [True, False, False]
    assert ts.truncated.tolist() == [False, False, True]

    restart = jax.jit(batch.restart_if_over)
    fresh, obs = jax.device_get(restart(jax.random.key(2), state, ts))
    assert fresh.t.tolist() == [0, 2, 0]
    assert np.array_equal(fresh.pos[1], state.pos[1]) and not np.array_equal(fresh.pos[2], state.pos[2])
    assert np.array_equal(obs["agent"], observe(fresh)["agent"])
    expected, _ = jax.device_get(reset(jax.random.key(2)))
    assert np.array_equal(fresh.landmarks[0], expected.landmarks[0])

    later, ts = jax.device_get(step(jax.random.key(3), fresh, stay))
    unchanged, obs = restart(jax.random.key(4), later, ts)
    assert not np.any(ts.terminated | ts.truncated)
    assert np.array_equal(unchanged.pos, later.pos) and np.array_equal(obs["agent"], ts.obs["agent"])


def test_only_truncated_copies_have_a_final_value() -> None:
    batch = Batch(make_env("simple_spread_v3", N=2, max_cycles=4, terminate_on_success=True), num_envs=3)
    begin = jax.jit(lambda key: start(batch, (), key))(jax.random.key(0))
    begin = begin._replace(env=begin.env._replace(t=np.array([0, 1, 3])))
    stay = Moved({"agent": np.zeros((3, 2), int)}, np.zeros((3, 2)), (), ())

    @jax.jit
    def played(begin: RolloutState) -> Trajectory:
        return rollout(batch, lambda *_: stay, lambda *_: jnp.ones((3, 2)), jax.random.key(1), begin, (), 2)[1]

    traj = jax.device_get(played(begin))
    assert traj.truncated.tolist() == [[False, False, True], [False] * 3]
    assert np.array_equal(traj.at_end, np.repeat(traj.truncated[..., None], 2, axis=-1))


def test_a_lucky_start_is_not_an_end() -> None:
    env = make_env("simple_spread_v3", N=1, terminate_on_success=True)
    state, ts = jax.jit(env.reset)(jax.random.key(0))
    assert not ts.terminated
    lucky = state._replace(landmarks=state.pos)
    assert jax.jit(env.solved)(lucky)
    _, ts = jax.jit(env.step)(jax.random.key(1), lucky, {"agent": np.zeros(1, int)})
    assert ts.terminated


def test_fixed_length_runs_in_lockstep() -> None:
    batch = Batch(make_env("simple_spread_v3"), num_envs=3)
    state, ts = jax.eval_shape(batch.reset, jax.random.key(0))
    assert state.t.shape == ts.truncated.shape == ts.terminated.shape == ()
