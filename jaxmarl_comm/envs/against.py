"""A task in which one side is learned and the other given: what learns sees a task of one team."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.envs.base import ActionSpace, Array, Env, State, TimeStep
from jaxmarl_comm.envs.scene import Shape
from jaxmarl_comm.scripted import make_side
from jaxmarl_comm.suggest import did_you_mean, shown
from jaxmarl_comm.trees import as_batch_of_one, out_of_batch_of_one

FOLDER_MARK = "/"  # names without one are of scripted sides, whatever folders there are


@dataclass(frozen=True)
class Side:
    """Who plays a team of a task. Two of the same name are the same.

    moves: (key, state of a batch of the task, group -> obs `[E, n, obs_dim]`, memory) -> (group -> actions
    `[E, n, ...]` of the team's groups, memory). memory: number of environments -> what the side remembers at the start
    of an episode, a pytree of `[E, ...]`.
    """

    name: str
    moves: Callable[[Array, State, dict[str, Array], Any], tuple[dict[str, Array], Any]] = field(compare=False)
    memory: Callable[[int], Any] = field(compare=False)


class AgainstState(NamedTuple):
    """task: the state of the task. memory: what the given side remembers of the episode."""

    task: State
    memory: Any


def against(task: Env, opponents: Mapping[str, str], sides: Mapping[str, Side] | None = None) -> Env:
    """The task with the teams of these names played by sides of these names; the task itself if there is none.

    A name with a slash is the folder of a run, whose side is among `sides`, by its team; without it the world can be
    looked at, but not played. Raises ValueError, in one line, for teams or sides that there are not, or if nobody is
    left to learn.
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
    (name, who), *_ = opponents.items()
    there = scripted(who, task, names.index(name)) if FOLDER_MARK not in who else (sides or {}).get(name)
    return Against(
        max_cycles=task.max_cycles,
        continuous_actions=task.continuous_actions,
        task=task,
        team=1 - names.index(name),
        side=there or absent(who),
    )


def scripted(script: str, task: Env, team: int) -> Side:
    """A scripted side, which remembers nothing. Raises ValueError, in one line, if there is none of this name."""
    try:
        moves = make_side(script, task, team)
    except ValueError as error:
        raise ValueError(f"{error}; the folder of a run is given with a slash, as runs/NAME or ./NAME") from None
    return Side(script, lambda key, state, obs, memory: (moves(key, state, obs), memory), lambda num_envs: ())


def absent(name: str) -> Side:
    """A side that has not been loaded."""

    def moves(key: Array, state: State, obs: dict[str, Array], memory: Any) -> tuple[dict[str, Array], Any]:
        raise ValueError(f"opponent {name} has not been loaded, so nobody can play against it here")

    return Side(name, moves, lambda num_envs: ())


def seen_in(env: Env, state: State, num_envs: int) -> State:
    """The state of a batch of the whole task as one of `env`, the same task or one side of it, to be looked at."""
    return AgainstState(state, env.side.memory(num_envs)) if isinstance(env, Against) else state


def opponent_of(env: Env) -> Side | None:
    """Who plays the other team, if it is not learned."""
    return env.side if isinstance(env, Against) else None


@dataclass(frozen=True, kw_only=True)
class Against(Env):
    """One team of a task of two, whose other team, the side, is part of the world.

    Agents, observations and rewards are the team's own; the state is the task's, with what the side remembers.
    """

    task: Env
    team: int
    side: Side

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
        return AgainstState(self.task.state_axes, self._memory_axes)

    @cached_property
    def _memory_axes(self) -> Any:
        return jax.tree.map(lambda x: 0, jax.eval_shape(lambda: self.side.memory(1)))

    def _own(self, of_groups: Mapping[str, Any]) -> dict[str, Any]:
        """What the team's own groups have, of what all groups do."""
        return {group: x for group, x in of_groups.items() if self.task.group_teams[group] == self.team}

    def _seen(self, ts: TimeStep) -> TimeStep:
        return ts._replace(obs=self._own(ts.obs), reward=ts.reward[..., self.members])

    def reset(self, key: Array) -> tuple[State, TimeStep]:
        state, first = self.task.reset(key)
        return AgainstState(state, jax.tree.map(lambda x: x[0], self.side.memory(1))), self._seen(first)

    def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """See `Env.step`: a batch of one."""
        self.check_actions(actions)
        axes = self.state_axes
        alone = as_batch_of_one(axes, state)
        state, ts = self.step_many(key[None], alone, {group: x[None] for group, x in actions.items()})
        flags: Any = self.time_step_axes
        of_one = (axes, flags._replace(obs=dict.fromkeys(ts.obs, 0)))
        return out_of_batch_of_one(of_one, (state, ts))

    def step_many(self, keys: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        self.check_actions(actions, keys.shape[:1])
        obs = jax.vmap(self.task.observe, in_axes=(self.task.state_axes,))(state.task)
        theirs, memory = self.side.moves(jax.random.fold_in(keys[0], 1), state.task, obs, state.memory)
        after, ts = self.task.step_many(keys, state.task, {**actions, **theirs})
        return AgainstState(after, memory), self._seen(ts)

    def observe(self, state: State) -> dict[str, Array]:
        return self._own(self.task.observe(state.task))

    def world_state(self, state: State) -> Array:
        return self.task.world_state(state.task)

    def render(self, state: State) -> np.ndarray:
        return self.task.render(state.task)

    @property
    def scene(self) -> tuple[Shape, ...]:
        return self.task.scene

    def places(self, state: State) -> Array:
        return self.task.places(state.task)

    def destinations(self, state: State) -> Array:
        return self.task.destinations(state.task)[self.members]

    @property
    def num_goals(self) -> int:
        return self.task.num_goals

    def goals(self, state: State) -> Array:
        return self.task.goals(state.task)[self.members]

    def shared_key(self, state: State) -> Array:
        return self.task.shared_key(state.task)

    def words(self, state: State) -> Array:
        return self.task.words(state.task)[self.members]

    def with_words(self, state: State, words: Array) -> State:
        of_all = self.task.words(state.task).at[self.members].set(words)
        return state._replace(task=self.task.with_words(state.task, of_all))

    def positions(self, state: State) -> Array:
        return self.task.positions(state.task)[self.members]

    @property
    def tells_success(self) -> bool:
        return self.task.tells_success

    def outcome(self, state: State) -> dict[str, Array]:
        of_task = self.task.outcome(state.task)
        return of_task | {"success": of_task["success"][self.team : self.team + 1]}
