"""A batch steps as its environments do one by one, however it is computed."""

import jax
import numpy as np
import pytest

from jaxmarl_comm.benchmark.measure import random_actions
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.parity import ARGUMENTS

VARIANTS = [
    *((name, {}) for name in ARGUMENTS),
    ("simple_reference_v3", {"continuous_actions": True}),
    ("simple_spread_v3", {"N": 2, "terminate_on_success": True, "continuous_actions": True}),
    ("simple_tag_v3", {"num_good": 2, "terminate_on_success": True}),
]
E = 5


@pytest.mark.parametrize(("name", "arguments"), VARIANTS, ids=str)
def test_a_batch_is_its_environments(name, arguments):
    env = make_env(name, **arguments)
    batch, one_by_one = Batch(env, E), jax.jit(env.step)

    @jax.jit
    def start():
        return batch.reset(jax.random.key(0))[0], random_actions(env, jax.random.key(2), E)

    state, actions = jax.device_get(start())
    # Crowded and fast, so that there are contacts, and speeds to be capped.
    pos = state.pos * 0.2
    state = state._replace(pos=pos, vel=2.0 * np.roll(pos, 1, axis=0), landmarks=state.landmarks * 0.3)
    key = jax.random.key(1)
    together = jax.device_get(jax.jit(batch.step)(key, state, actions))
    for k, step_key in enumerate(jax.random.split(key, E)):
        mine = [jax.tree.map(lambda x, k=k: x[k], tree) for tree in (state._replace(t=np.zeros(E, int)), actions)]
        alone = one_by_one(step_key, *mine)
        for found, expected in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            found = found[k] if found.ndim > expected.ndim else found
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_gradients_pass_through_a_batch_also_over_seeds():
    env = make_env("simple_spread_v3", continuous_actions=True)
    batch = Batch(env, E)
    state, _ = jax.device_get(jax.jit(batch.reset)(jax.random.key(0)))
    actions = jax.device_get(random_actions(env, jax.random.key(1), E))

    def reward(actions):
        """Two steps later, for positions move with the old velocity."""
        after = batch.step(jax.random.key(0), state._replace(pos=state.pos * 0.1), actions)[0]
        return batch.step(jax.random.key(0), after, actions)[1].reward.sum()

    (grad,) = jax.device_get(jax.jit(jax.grad(reward))(actions)).values()
    assert np.isfinite(grad).all() and np.abs(grad).max() > 0
    (over_seeds,) = jax.jit(jax.vmap(jax.grad(reward)))({"agent": np.stack([actions["agent"]] * 2)}).values()
    np.testing.assert_allclose(over_seeds[1], grad, rtol=1e-4, atol=1e-5)
