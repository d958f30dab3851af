"""What is kept of rollouts, and what is drawn from it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import RUNS
from jaxmarl_comm.algorithms.maddpg import Maddpg
from jaxmarl_comm.algorithms.replay import Moment, Pool, Replay, Windows, single_steps
from jaxmarl_comm.algorithms.rollout import Trajectory
from jaxmarl_comm.envs.batch import Batch
from learners import lively

KEY = jax.random.key(0)


def numbered(rollout, windows=3, steps=4):
    """Windows in which every row says where it is from: rollout * 1000 + window * 100 + step."""
    where = rollout * 1000.0 + 100 * np.arange(windows)[:, None] + np.arange(steps + 1)
    return Windows(
        Moment({"agent": where[..., None, None]}, {"clock": where.astype(int)}),
        {"agent": where[:, :-1, None]}, where[:, :-1, None], where[:, :-1] < 0,
    )  # fmt: skip


def filled(slots, rollouts):
    replay = Replay(slots)
    kept = replay.start(jax.tree.map(jnp.asarray, numbered(0)))
    for count in range(rollouts):
        kept = replay.add(kept, jax.tree.map(jnp.asarray, numbered(count + 1)), count)
    return replay, kept


@pytest.mark.parametrize(("slots", "rollouts", "there"), [(4, 2, {1, 2}), (2, 5, {4, 5})])
@pytest.mark.parametrize("length", [1, 3, 4])
def test_rows_of_a_draw_follow_each_other_and_are_of_what_is_there(slots, rollouts, there, length):
    """Not of slots that are still empty, nor of rollouts that were overwritten."""
    replay, kept = filled(slots, rollouts)
    drawn = replay.sample(Pool(kept), KEY, rollouts, 600, length)
    rows = np.asarray(drawn.moments.obs["agent"][..., 0, 0])
    assert rows.shape == (600, length + 1) and (np.diff(rows, axis=1) == 1).all()
    assert np.array_equal(rows[:, :-1], drawn.rewards[..., 0]) and np.array_equal(
        rows, drawn.moments.circumstances["clock"]
    )
    assert np.array_equal(rows[:, :-1], drawn.deeds["agent"][..., 0])
    assert {int(row) // 1000 for row in rows[:, 0]} == there
    starts = np.unique(rows[:, 0] % 1000)
    assert len(starts) == 3 * (4 - length + 1)  # every window, from every step from which there are enough


def test_fewer_distinct_draws_are_taken_in_turn():
    replay, kept = filled(4, 4)
    rows = np.asarray(replay.sample(Pool(kept), KEY, 4, 12, 3, jnp.array(5)).moments.obs["agent"][..., 0, 0])
    every = np.asarray(replay.sample(Pool(kept), KEY, 4, 12, 3).moments.obs["agent"][..., 0, 0])
    assert np.array_equal(rows, every[np.arange(12) % 5])


def test_who_shares_replay_draws_from_all_of_a_population_that_are_sound_and_from_no_other():
    replay = Replay(2, sharers=2)
    kept = replay.start(jax.tree.map(jnp.asarray, numbered(0)))
    of_runs = [replay.add(kept, jax.tree.map(jnp.asarray, numbered(run)), 0) for run in range(4)]
    kept = jax.tree.map(lambda *x: jnp.stack(x), *of_runs)

    def draw(kept, sound, key):
        return replay.sample(replay.pool(kept, sound), key, 1, 200, 3)

    drawn = jax.vmap(draw, axis_name=RUNS)(kept, jnp.array([True, True, False, True]), jax.random.split(KEY, 4))
    rows = np.asarray(drawn.moments.obs["agent"][..., 0, 0])
    # The third has diverged, and what it did is of use to nobody.
    assert [set(np.unique(run // 1000)) for run in rows] == [{0, 1}, {0, 1}, {3}, {3}]
    assert (np.diff(rows, axis=-1) == 1).all()
    assert np.array_equal(rows[..., :-1], drawn.rewards[..., 0])


def test_every_kept_step_leads_to_the_row_behind_it():
    """Stepped again from the very state, the task gives the same rewards and rows, the true last one included."""
    cfg = default_cfg().replace(
        {"algorithm": "matd3", "env.continuous_actions": True, "num_envs": 3, "batch_size": 64, "hidden_dim": 8}
    )
    env = cfg.make_env()
    learner, batch = Maddpg(cfg, env), Batch(env, 3)
    state = lively(learner)
    after, windows, _ = jax.jit(learner.play)(state, KEY)
    step, now = jax.jit(batch.step), state.rollout.env
    for t in range(cfg.rollout_len):
        np.testing.assert_allclose(windows.moments.obs["agent"][:, t], batch.observe(now)["agent"], atol=1e-5)
        now, ts = step(KEY, now, jax.tree.map(lambda x, t=t: x[:, t], windows.deeds))
        np.testing.assert_allclose(windows.rewards[:, t], ts.reward, atol=1e-5)
    np.testing.assert_allclose(windows.moments.obs["agent"][:, -1], ts.obs["agent"], atol=1e-5)
    assert not np.allclose(windows.moments.obs["agent"][:, -1], after.obs["agent"], atol=0.1)  # of the next episode
    assert not windows.terminated.any()


def test_steps_of_their_own_know_what_followed():
    """Three steps of two environments: the first is cut off at the second step, the other one ends there."""
    obs = jnp.arange(6.0).reshape(3, 2)[..., None, None]
    over = jnp.array([[False, False], [True, True], [False, False]])
    cut = over & jnp.array([True, False])
    at_end = Moment({"agent": jnp.full((3, 2, 1, 1), -1.0)}, {})
    traj = Trajectory(
        {"agent": obs}, {}, None, jnp.zeros((3, 2, 1)), over & ~cut, cut, at_end, jnp.zeros((3, 2, 1)), {}
    )
    found = single_steps(traj, {"agent": obs[..., 0]}, Moment({"agent": jnp.full((2, 1, 1), 9.0)}, {}))
    began, followed = np.asarray(found.moments.obs["agent"][..., 0, 0]).T
    assert began.tolist() == [0, 1, 2, 3, 4, 5]
    assert followed[[0, 1, 2, 4, 5]].tolist() == [2, 3, -1, 9, 9]  # the true end, not the next episode's first row
    assert np.asarray(found.terminated[:, 0]).tolist() == [False, False, False, True, False, False]
