"""Wrong actions are one clear error, while tracing where that is possible; where it is not, they do no harm."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.envs.mpe.parity import read_state
from jaxmarl_comm.envs.mpe.task import MPETask

WRONG_WHILE_TRACING = [
    (False, jnp.zeros(2, int), r"simple_v3: actions have shapes \{'agent': \(2,\)\}, but must have"),
    (False, jnp.zeros((1, 5)), "actions have shapes"),
    (False, jnp.zeros(1), "actions of agent are float32, but each must be an integer from 0 to 4"),
    (False, jnp.zeros(1, bool), "actions of agent are bool, but"),
    (True, jnp.zeros(1, int), "actions have shapes"),
    (True, jnp.zeros((1, 5), int), "actions of agent are int32, but each must be 5 numbers from 0 to 1"),
]
OUT_OF_RANGE = [
    (False, [5], "simple_v3: among the actions of agent is 5, but each must be an integer from 0 to 4"),
    (False, [-1], "is -1, but"),
    (True, [[0.0, 0.5, 1.5, -2.0, 0.0]], "among the actions of agent is 1.5, but each must be 5 numbers from 0 to 1"),
    (True, [[0.0, -0.1, 0.0, 0.0, 0.0]], "is -0.1, but"),
    (True, [[0.0, np.nan, 0.0, 0.0, 0.0]], "is nan, but"),
]


@pytest.mark.parametrize(("continuous", "action", "message"), WRONG_WHILE_TRACING)
def test_wrong_shapes_and_types(continuous: bool, action: Any, message: str) -> None:
    env = make_env("simple_v3", continuous_actions=continuous)
    state, _ = jax.eval_shape(env.reset, jax.random.key(0))
    for step in (env.step, partial(jax.eval_shape, env.step)):
        with pytest.raises(ValueError, match=message) as error:
            step(jax.random.key(0), state, {"agent": action})
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"actions have shapes .*'listener'"):
        env.step(jax.random.key(0), state, {"listener": action})


@pytest.mark.parametrize("as_array", [np.array, jnp.array])
@pytest.mark.parametrize(("continuous", "action", "message"), OUT_OF_RANGE)
def test_out_of_range(continuous: bool, action: Any, message: str, as_array: Any) -> None:
    env = make_env("simple_v3", continuous_actions=continuous)
    state, _ = jax.eval_shape(env.reset, jax.random.key(0))
    with pytest.raises(ValueError, match=message) as error:
        env.step(jax.random.key(0), state, {"agent": as_array(action)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ENVS)
def test_every_task_and_batch_checks(name: str) -> None:
    batch = Batch(make_env(name), 2)
    state, _ = jax.eval_shape(batch.reset, jax.random.key(0))  # for actions are looked at before it
    actions = {group: np.zeros((2, len(where)), np.int32) for group, where in batch.env.groups.items()}
    group, right = next(iter(actions.items()))
    second_is_99 = right + np.array([[0], [99]])
    for wrong, message in ((right[:1], "shapes"), (right * 1.0, "float32"), (second_is_99, "is 99, but")):
        with pytest.raises(ValueError, match=message):
            batch.step(jax.random.key(0), state, actions | {group: wrong})
    alone = {group: action[0] for group, action in actions.items()}
    with pytest.raises(ValueError, match="is 99, but"):
        batch.env.step(jax.random.key(0), state, alone | {group: alone[group] + 99})


def test_under_jit_indices_count_modulo_their_number() -> None:
    env = make_env("simple_reference_v3")
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    step = jax.jit(env.step)
    after, expected = (step(jax.random.key(0), state, {"agent": jnp.array(actions)}) for actions in ([-1, 57], [49, 7]))
    chex.assert_trees_all_equal(after, expected)


def test_under_jit_vectors_are_clipped_as_mpe2_clips_them() -> None:
    env = make_env("simple_reference_v3", continuous_actions=True)
    assert isinstance(env, MPETask)
    original = make_mpe2(env)
    original.reset(seed=0)
    state = read_state(env, original.unwrapped)
    actions = np.random.default_rng(0).uniform(-2, 3, (2, 15)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it clips
        original.step(dict(zip(env.agents, actions, strict=True)))
    after, _ = jax.jit(env.step)(jax.random.key(0), state, {"agent": actions})
    expected = read_state(env, original.unwrapped)
    np.testing.assert_allclose(after.vel, expected.vel, atol=1e-6)
    np.testing.assert_allclose(after.say, expected.say, atol=1e-6)
