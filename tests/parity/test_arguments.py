"""Impossible arguments are one clear error; teams and goals are what the tasks say."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.task import GOOD


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("simple_spread_v3", {"N": 0}, "N is 0, but must be at least 1"),
        ("simple_spread_v3", {"local_ratio": 1.5}, "local_ratio is 1.5"),
        ("simple_spread_v3", {"curriculum": True, "curriculum_stage": 2}, "must be 0 to 1"),
        ("simple_tag_v3", {"curriculum_stage": 1}, "curriculum is False"),
        ("simple_tag_v3", {"num_agent_neighbors": 0}, "num_agent_neighbors is 0"),
        ("simple_tag_v3", {"num_obstacles": -1}, "num_obstacles is -1, but must be at least 0"),
        ("simple_tag_v3", {"num_preys": 2}, "unknown argument 'num_preys'"),
        ("simple_adversary_v3", {"num_landmark_neighbors": -1}, "or None to see all"),
        ("simple_world_comm_v3", {"num_food": 0}, "num_food is 0, but must be at least 1"),
        ("collect_treasure_v1", {"num_deposits": 7}, "must be at most 6"),
        ("simple_line_v1", {"N": "four"}, "argument 'N'"),
    ],
)
def test_impossible_arguments(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        make_env(name, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "teams"),
    [
        ("simple_v3", (0,)),
        ("simple_crypto_v3", (1, 0, 0)),
        ("simple_adversary_v3", (1, 0, 0)),
        ("simple_push_v3", (1, 0)),
        ("simple_tag_v3", (1, 1, 1, 0)),
        ("simple_world_comm_v3", (1, 1, 1, 1, 0, 0)),
    ],
)
def test_teams(name: str, teams: tuple[int, ...]) -> None:
    assert make_env(name).teams == teams


def test_who_knows_the_goal() -> None:
    for name, knows in {"simple_crypto_v3": [2], "simple_adversary_v3": [1, 2], "simple_push_v3": [1]}.items():
        env = make_env(name)
        state, _ = jax.device_get(jax.jit(env.reset)(jax.random.key(0)))
        goals = np.asarray(env.goals(state))
        assert [k for k in range(env.num_agents) if goals[k] >= 0] == knows
        assert all(goals[k] == state.choice[0] for k in knows) and env.num_goals > state.choice[0]


@pytest.mark.parametrize(
    ("eve", "bob", "success"), [(1, 0, True), (0, 0, False), (1, 1, False), (0, 1, False), (None, 0, True)]
)
def test_outcome_of_crypto(eve: int | None, bob: int, success: bool) -> None:
    env = make_env("simple_crypto_v3")
    words = np.zeros((3, 4))
    words[1, bob] = 1.0
    if eve is not None:
        words[0, eve] = 1.0

    @jax.jit
    def outcome() -> dict[str, jax.Array]:
        state, _ = env.reset(jax.random.key(0))
        return env.outcome(env.with_words(state._replace(choice=jnp.array([0, 1])), words))

    found = outcome()
    assert found["success"][GOOD] == success
    assert np.isclose(found["distance"], 0.0 if bob == 0 else np.sqrt(2.0))
