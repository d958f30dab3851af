"""Which tasks are compared with mpe2, with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxmarl_comm.envs import env_class
from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.collect_treasure import CollectTreasure
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.envs.mpe.task import MPETask

ARGUMENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "simple_v3": ({}, {"max_cycles": 3}),
    "simple_adversary_v3": (
        {},
        {"N": 3, "num_agent_neighbors": 2, "num_landmark_neighbors": 1},
        {"N": 1, "num_agent_neighbors": 3, "num_landmark_neighbors": 2},
    ),
    "simple_crypto_v3": ({},),
    "simple_push_v3": ({},),
    "simple_reference_v3": ({}, {"local_ratio": 0.2, "max_cycles": 40}),
    "simple_speaker_listener_v4": ({},),
    "simple_spread_v3": (
        {},
        {"N": 1, "local_ratio": 1.0},
        {"N": 5, "local_ratio": 0.2, "curriculum": True, "curriculum_stage": 1},
        {"N": 2, "terminate_on_success": True, "curriculum": True},
        {"N": 4, "num_agent_neighbors": 2, "num_landmark_neighbors": 3},
        {"N": 3, "num_agent_neighbors": 4, "num_landmark_neighbors": 5},
    ),
    "simple_tag_v3": (
        {},
        {"num_good": 2, "curriculum": True},
        {"num_good": 2, "terminate_on_success": True, "curriculum": True, "curriculum_stage": 1},
        {"num_good": 3, "num_adversaries": 2, "num_obstacles": 0, "curriculum": True, "curriculum_stage": 2},
        {"num_good": 2, "num_agent_neighbors": 2, "num_landmark_neighbors": 1},
        {"num_good": 2, "num_agent_neighbors": 6, "num_landmark_neighbors": 3},
    ),
    "simple_world_comm_v3": (
        {},
        {"num_good": 3, "num_adversaries": 2, "num_obstacles": 0, "num_food": 1, "num_forests": 3},
        {"num_good": 1, "num_adversaries": 1, "num_obstacles": 2, "num_food": 3, "num_forests": 0},
    ),
    "simple_line_v1": ({}, {"N": 1}, {"N": 3, "terminate_on_success": True}, {"N": 7}),
    "simple_formation_v1": ({}, {"N": 1}, {"N": 3, "terminate_on_success": True}, {"N": 7}),
    "collect_treasure_v1": (
        {},
        {"num_collectors": 2, "num_deposits": 1, "num_treasures": 3},
        {"num_collectors": 4, "num_deposits": 6, "num_treasures": 1},
    ),
}


@dataclass(frozen=True)
class Case:
    """One task with one set of arguments (as sorted pairs) and one kind of actions."""

    name: str
    arguments: tuple[tuple[str, Any], ...]
    continuous: bool

    def __str__(self) -> str:
        arguments = ",".join(f"{key}={value}" for key, value in self.arguments) or "default"
        return f"{self.name} {arguments} {'continuous' if self.continuous else 'discrete'}"

    @cached_property
    def env(self) -> MPETask:
        """This project's environment; treasures reappear where the `key` of a step says, which is (places, kinds)."""
        cls: Any = ScriptedTreasures if self.name == CollectTreasure.name else env_class(self.name)
        return cls(**dict(self.arguments), continuous_actions=self.continuous)

    @cached_property
    def mpe2(self) -> Any:
        """mpe2's raw environment."""
        return make_mpe2(self.env).unwrapped


class ScriptedTreasures(CollectTreasure):
    """collect_treasure_v1 without chance: the key of a step is what it would draw."""

    def draw_treasures(self, key: Any) -> tuple[Array, Array]:
        return key


def cases(names: tuple[str, ...] = tuple(ARGUMENTS)) -> list[Case]:
    """All cases of these tasks."""
    return [
        Case(name, tuple(sorted(arguments.items())), continuous)
        for name in names
        for arguments in ARGUMENTS[name]
        for continuous in (False, True)
    ]
