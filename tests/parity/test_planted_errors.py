"""The comparison with mpe2 is worth something only if it notices: each rule is broken in turn, and must be reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.envs.base import ActionSpace
from jaxmarl_comm.envs.mpe import (
    collect_treasure,
    places,
    simple_adversary,
    simple_crypto,
    simple_formation,
    simple_push,
    simple_reference,
    simple_spread,
    simple_tag,
    simple_world_comm,
    task,
    world,
)
from jaxmarl_comm.envs.mpe.parity import (
    FLOAT32_TOLERANCE,
    FLOAT64_TOLERANCE,
    Case,
    compare_steps,
    compiled_step,
)
from jaxmarl_comm.envs.mpe.task import MPETask
from recordings import recorded


class Error(NamedTuple):
    """A rule of a task, and what to put in its place.

    owner: module or class in which it stands, None: an argument of the task. wrong: a value, or right -> wrong.
    """

    what: str
    name: str
    owner: Any
    attribute: str
    wrong: Any
    arguments: tuple[tuple[str, Any], ...] = ()
    continuous: bool = False


def new_velocity_first(cast: Any, state: Any, force: Any) -> Any:
    state = state._replace(vel=world.move(cast, state, force).vel)
    return state._replace(pos=state.pos + world.DT * state.vel)


def say_is_the_fast_digit(self: ActionSpace, action: Any) -> dict[str, Any]:
    return {"say": action % 10, "move": action // 10}


def nearest_last(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda values, distances: right(values, -distances)


def swapped(*columns: tuple[int, int]) -> Callable[..., Any]:
    """Exchange columns a and b of every group's observation."""

    def wrong(right: Callable[..., Any]) -> Callable[..., Any]:
        def observe(self: MPETask, state: Any) -> dict[str, Any]:
            obs = right(self, state)
            order = {group: np.arange(x.shape[-1]) for group, x in obs.items()}
            for a, b in columns:
                for where in order.values():
                    where[[a, b]] = where[[b, a]]
            return {group: x[..., order[group]] for group, x in obs.items()}

        return observe

    return wrong


def squared(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: right(x) ** 2


TAG, COMM, TREASURE = "simple_tag_v3", "simple_world_comm_v3", "collect_treasure_v1"
SPREAD, LINE, FORMATION = "simple_spread_v3", "simple_line_v1", "simple_formation_v1"
TERMINATE = (("terminate_on_success", True),)

ERRORS = [
    # Physics.
    Error("time step", "simple_v3", world, "DT", 0.11),
    Error("damping", "simple_v3", world, "DAMPING", 0.24),
    Error("contact force", TAG, world, "CONTACT_FORCE", 101.0),
    Error("contact margin", TAG, world, "CONTACT_MARGIN", 1.1e-3),
    Error("order of integration", "simple_v3", task, "move", lambda _: new_velocity_first),
    Error("contact cut off outside", TAG, jnp, "logaddexp", lambda f: lambda a, x: jnp.where(x > 0, f(a, x), 0.0)),
    Error("contact without softplus", TAG, jnp, "logaddexp", lambda _: lambda a, x: jnp.maximum(a, x)),
    Error("no contact", "simple_push_v3", world, "contact_forces", lambda _: lambda cast, state: 0.0),
    Error("no top speed", TAG, world, "cap_speed", lambda _: lambda vel, top: vel),
    Error("top speed per axis", TAG, world, "cap_speed", lambda _: lambda v, m: jnp.clip(v, -m[:, None], m[:, None])),
    Error("mass ignored", TREASURE, collect_treasure, "Body", lambda f: lambda **kw: f(**{**kw, "mass": 1.0})),
    Error("size of prey", TAG, simple_tag, "PREY_SIZE", 0.055),
    Error("speed of slow prey", TAG, simple_tag, "PREY_SPEED", (0.6, 0.75, 1.0), (("curriculum", True),)),
    # Actions.
    Error("up is down", "simple_v3", MPETask, "_direction", lambda f: lambda *a: f(*a) * np.array([1, -1])),
    Error("mirrored", "simple_v3", MPETask, "_direction", lambda f: lambda *a: -f(*a), continuous=True),
    Error("saying is the fast digit", "simple_reference_v3", ActionSpace, "split", lambda _: say_is_the_fast_digit),
    Error("words of somebody else", "simple_crypto_v3", MPETask, "_said", lambda f: lambda *a: jnp.roll(f(*a), 1, 0)),
    # Observations.
    Error("order of observation", "simple_reference_v3", simple_reference.SimpleReference, "observe", swapped((8, 9))),
    Error("colours exchanged", "simple_push_v3", simple_push.SimplePush, "observe", swapped((4, 5))),
    Error("order of others", SPREAD, simple_spread, "others", lambda f: lambda n: f(n)[:, ::-1]),
    Error("farthest first", SPREAD, task, "nearest_first", nearest_last, (("num_agent_neighbors", 1),)),
    Error("everybody is visible", COMM, simple_world_comm.SimpleWorldComm, "sight", lambda f: lambda *a: f(*a) | True),
    Error("the leader hides too", COMM, simple_world_comm, "LEADER", 1),
    Error("size of forests", COMM, simple_world_comm, "FOREST_SIZE", 0.31),
    Error("farthest treasure first", TREASURE, collect_treasure, "nearest_first", nearest_last),
    # Rewards.
    Error("own ratio", SPREAD, None, "local_ratio", 0.6),
    Error("distance at which agents bump", SPREAD, simple_spread, "AGENT_SIZE", 0.14),
    Error("stages exchanged", SPREAD, simple_spread, "BUMPS_COUNT", (True, False), (("curriculum", True),)),
    Error("squared distances", "simple_adversary_v3", simple_adversary, "norm", squared),
    Error("whose distance", "simple_reference_v3", simple_reference, "norm", lambda f: lambda x: f(x)[::-1]),
    Error("reward of a hit", TAG, simple_tag, "HIT_REWARD", 9.0),
    Error("no border", TAG, simple_tag, "outside", lambda f: lambda pos: 0.0 * f(pos)),
    Error("reward of a meal", COMM, simple_world_comm, "MEAL_REWARD", 1.9),
    Error("who is Eve", "simple_crypto_v3", simple_crypto, "EVE", 1),
    Error("greedy assignment", LINE, places, "assigned_costs", lambda _: lambda costs: jnp.min(costs, axis=1)),
    Error("fixed places", FORMATION, simple_formation, "angle", lambda f: lambda offset: 0.0 * f(offset)),
    Error("unlimited penalty", FORMATION, places, "MAX_PENALTY", 10.0),
    Error("reward of a treasure", TREASURE, collect_treasure, "EVENT_REWARD", 4.9),
    Error("overlap of collectors", TREASURE, collect_treasure, "OVERLAP_PENALTY", 4.9),
    Error("size of treasures", TREASURE, collect_treasure, "TREASURE_SIZE", 0.04),
    Error("size of deposits", TREASURE, collect_treasure, "DEPOSIT_SIZE", 0.2),
    # Ends.
    Error("one step too many", "simple_v3", None, "max_cycles", 26),
    Error("success too easy", SPREAD, simple_spread, "SUCCESS_DISTANCE", 0.3, TERMINATE),
    Error("success ignored", TAG, simple_tag.SimpleTag, "ends_early", property(lambda _: False), TERMINATE),
]


def test_unbroken_rules_pass() -> None:
    case = Case(TAG, (), continuous=False)
    assert compare_steps(compiled_step(replace(case.env)), recorded(case), x64=True).within(FLOAT64_TOLERANCE)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.what)
def test_a_broken_rule_is_noticed(error: Error, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(error.name, error.arguments, error.continuous)
    recording = recorded(case)
    env = replace(case.env)  # a copy, which has cached nothing yet
    if error.owner is None:
        env = replace(case.env, **{error.attribute: error.wrong})
    elif callable(error.wrong):
        monkeypatch.setattr(error.owner, error.attribute, error.wrong(getattr(error.owner, error.attribute)))
    else:
        monkeypatch.setattr(error.owner, error.attribute, error.wrong)
    difference = compare_steps(compiled_step(env), recording, x64=True)
    assert not difference.within(FLOAT32_TOLERANCE), difference
    assert max(difference.obs, difference.reward, difference.state) < 1e3, "not a wrong rule, but nonsense"
