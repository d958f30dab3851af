"""The return of a whole episode has finite gradients, whatever the start; and not all are zero."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.assignment import assigned_costs
from jaxmarl_comm.envs.mpe.parity import ARGUMENTS
from jaxmarl_comm.envs.mpe.task import MPETask

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ARGUMENTS),
    ("simple_spread_v3", {"N": 4, "num_agent_neighbors": 2, "num_landmark_neighbors": 6, "terminate_on_success": True}),
    ("simple_tag_v3", {"num_good": 2, "num_agent_neighbors": 2, "num_landmark_neighbors": 1}),
    ("simple_line_v1", {"N": 7}),
]


def starts(env: MPETask) -> Any:
    """As drawn; everything at one place; almost at one place; crowded; far outside. `[5, ...]`"""
    drawn = jax.device_get(jax.jit(env.draw)(jax.random.key(0)))
    spread, away = drawn.pos, np.sign(drawn.pos)
    positions = [drawn.pos, 0 * spread, 1e-6 * spread, 0.1 * spread, 1e3 * away]
    landmarks = [scale * drawn.landmarks for scale in (1, 0, 1e-6, 0.1, 1)]
    states = [drawn._replace(pos=pos, landmarks=marks) for pos, marks in zip(positions, landmarks, strict=True)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


def random_actions(env: MPETask) -> Any:
    """group -> `[T, n, dim]`."""
    rng = np.random.default_rng(0)
    return {
        group: rng.random((env.max_cycles, len(positions), env.action_spaces[group].dim)).astype(np.float32)
        for group, positions in env.groups.items()
    }


@pytest.mark.parametrize(("name", "arguments"), VARIANTS, ids=lambda x: str(x))
def test_gradients_are_finite(name: str, arguments: dict[str, Any]) -> None:
    env = make_env(name, continuous_actions=True, **arguments)
    assert isinstance(env, MPETask)

    def episode_return(pos: Any, actions: Any, start: Any) -> tuple[Any, Any]:
        def step(state: Any, action: Any) -> Any:
            state, ts = env.step(jax.random.key(0), state, action)
            return state, (ts.reward, ts.obs)

        _, (rewards, obs) = jax.lax.scan(step, start._replace(pos=pos), actions)
        seen = sum(jnp.mean(x) for x in obs.values())
        return jnp.sum(rewards[:, 0]) + jnp.sum(rewards[:, -1]) + seen, rewards

    gradient = jax.jit(jax.vmap(jax.grad(episode_return, argnums=(0, 1), has_aux=True), in_axes=(0, None, 0)))
    start = starts(env)
    (by_position, by_action), rewards = jax.device_get(gradient(start.pos, random_actions(env), start))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves((rewards, by_position, by_action)))
    moves = any(body.movable for body in env.world.agents)
    assert np.any(by_position[0]) == moves
    assert any(np.any(leaf[0]) for leaf in jax.tree.leaves(by_action))


@pytest.mark.parametrize("copies", [1, 2])
def test_assignment_has_the_gradient_of_the_chosen_costs(copies: int) -> None:
    costs = np.array([[1.0, 2.0, 9.0], [1.5, 9.0, 9.0], [9.0, 9.0, 0.5]])
    apart, same = 99 * (1 - np.eye(copies)), np.eye(copies)
    gradient = jax.jit(jax.grad(lambda x: jnp.sum(assigned_costs(x))))(
        np.kron(same, costs) + np.kron(apart, np.ones((3, 3)))
    )
    assert np.array_equal(gradient, np.kron(same, [[0, 1, 0], [1, 0, 0], [0, 0, 1]]))
