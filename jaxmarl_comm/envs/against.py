"""A task in which one side is learned and the other scripted: what learns sees a task of one team."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from jaxmarl_comm.envs.base import ActionSpace, Array, Env, State, TimeStep
from jaxmarl_comm.scripted import make_side
from jaxmarl_comm.suggest import did_you_mean, shown


def against(task: Env, opponents: Mapping[str, str]) -> Env:
    """The task with the teams of these names played by scripted sides of these names; the task itself if there is none.

    Raises ValueError, in one line, for teams or sides that there are not, or if nobody is left to learn.
    """
    if not opponents:
        return task
    names = task.team_names
    for name in opponents:
        if name not in names:
            raise ValueError(
                f"opponents has {shown(name)}, but the teams of {task.name} are {', '.join(names)}"
                f"{did_you_mean(name, names)}"
            )
    if len(names) != 2 or len(opponents) != 1:
        raise ValueError(f"opponents has {' and '.join(opponents)}, so nobody is left to learn in {task.name}")
    (name, script), *_ = opponents.items()
    make_side(script, task, names.index(name))  # an impossible one is an error now
    return Against(
        max_cycles=task.max_cycles,
        continuous_actions=task.continuous_actions,
        task=task,
        team=1 - names.index(name),
        script=script,
    )


@dataclass(frozen=True, kw_only=True)
class Against(Env):
    """One team of a task of two, whose other team is part of the world.

    Agents, observations and rewards are the team's own; the state is the task's. script: of the other team's side.
    """

    task: Env
    team: int
    script: str

    @property
    def name(self) -> str:
        return self.task.name

    @cached_property
    def members(self) -> np.ndarray:
        """`[n]`: positions of the team's agents among the task's."""
        return np.array(self.task.team_members[self.team])

    @cached_property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self.task.agents[k] for k in self.members)

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        return {g: tuple(list(self.members).index(k) for k in self.task.groups[g]) for g in self._own(self.task.groups)}

    @property
    def team_names(self) -> tuple[str, ...]:
        return (self.task.team_names[self.team],)

    @property
    def obs_dims(self) -> dict[str, int]:
        return self._own(self.task.obs_dims)

    @property
    def action_spaces(self) -> dict[str, ActionSpace]:
        return self._own(self.task.action_spaces)

    @property
    def ends_early(self) -> bool:
        return self.task.ends_early

    @property
    def state_axes(self) -> State:
        return self.task.state_axes

    @property
    def is_in_mpe2(self) -> bool:
        return False

    def _own(self, of_groups: Mapping[str, Any]) -> dict[str, Any]:
        """What the team's own groups have, of what all groups do."""
        return {group: x for group, x in of_groups.items() if self.task.group_teams[group] == self.team}

    def _seen(self, ts: TimeStep) -> TimeStep:
        return ts._replace(obs=self._own(ts.obs), reward=ts.reward[..., self.members])

    def reset(self, key: Array) -> tuple[State, TimeStep]:
        state, first = self.task.reset(key)
        return state, self._seen(first)

    def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """See `Env.step`: a batch of one."""
        self.check_actions(actions)
        axes = self.state_axes
        alone = jax.tree.map(lambda axis, x: x if axis is None else x[None], axes, state, is_leaf=_is_none)
        state, ts = self.step_many(key[None], alone, {group: x[None] for group, x in actions.items()})
        flags: Any = self.time_step_axes
        of_one = (axes, flags._replace(obs=dict.fromkeys(ts.obs, 0)))
        return jax.tree.map(lambda axis, x: x if axis is None else x[0], of_one, (state, ts), is_leaf=_is_none)

    def step_many(self, keys: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        self.check_actions(actions, keys.shape[:1])
        obs = jax.vmap(self.task.observe, in_axes=(self.state_axes,))(state)
        theirs = make_side(self.script, self.task, 1 - self.team)(jax.random.fold_in(keys[0], 1), state, obs)
        state, ts = self.task.step_many(keys, state, {**actions, **theirs})
        return state, self._seen(ts)

    def observe(self, state: State) -> dict[str, Array]:
        return self._own(self.task.observe(state))

    def world_state(self, state: State) -> Array:
        return self.task.world_state(state)

    def render(self, state: State) -> np.ndarray:
        return self.task.render(state)

    @property
    def num_goals(self) -> int:
        return self.task.num_goals

    def goals(self, state: State) -> Array:
        return self.task.goals(state)[self.members]

    def shared_key(self, state: State) -> Array:
        return self.task.shared_key(state)

    def words(self, state: State) -> Array:
        return self.task.words(state)[self.members]

    def with_words(self, state: State, words: Array) -> State:
        return self.task.with_words(state, self.task.words(state).at[self.members].set(words))

    def positions(self, state: State) -> Array:
        return self.task.positions(state)[self.members]

    def outcome(self, state: State) -> dict[str, Array]:
        of_task = self.task.outcome(state)
        return of_task | {"success": of_task["success"][self.team : self.team + 1]}


def _is_none(x: Any) -> bool:
    return x is None
