"""Groups of agents other than those that the task has: the same agents, told apart or put together by the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache
from typing import Any

import jax.numpy as jnp

from jaxmarl_comm.envs.base import ActionSpace, Array, Env, State, TimeStep
from jaxmarl_comm.suggest import did_you_mean, shown

Members = tuple[tuple[str, tuple[str, ...]], ...]


def regrouped(env: Env, agent_groups: str | Mapping[str, Sequence[str]]) -> Env:
    """The same task with other groups: `prefix`, as the task has them; `agent`, each its own; or name -> agent ids.

    Raises ValueError, in one line, unless each agent is in one group, together with agents of its team and its spaces.
    """
    if agent_groups == "prefix":
        return env
    if agent_groups == "agent":
        members: Members = tuple((agent, (agent,)) for agent in env.agents)
    else:
        assert isinstance(agent_groups, Mapping)
        members = tuple((name, tuple(agents)) for name, agents in agent_groups.items())
    _check(env, dict(members))
    return _with_groups(type(env), members)(**{field.name: getattr(env, field.name) for field in fields(env)})


def _check(env: Env, members: Mapping[str, tuple[str, ...]]) -> None:
    listed = Counter(agent for agents in members.values() for agent in agents)
    for agent in listed:
        if agent not in env.agents:
            raise ValueError(
                f"agent_groups has {shown(agent)}, but the agents of {env.name} are {', '.join(env.agents)}"
                f"{did_you_mean(agent, env.agents)}"
            )
    for agent in env.agents:
        if listed[agent] != 1:
            raise ValueError(f"agent_groups has {agent} {listed[agent]} times, but each agent belongs to one group")
    for name, agents in members.items():
        if not re.fullmatch(r"[\w-]+", name):
            raise ValueError(f"agent_groups has a group {shown(name)}, but names are made of letters, digits, _ and -")
        if not agents:
            raise ValueError(f"agent_groups has nobody in {shown(name)}")
        if longer := [other for other in members if other.startswith(f"{name}_")]:  # parameters go by such names
            raise ValueError(f"agent_groups has '{name}' and '{longer[0]}': no name may go on where another ends")
        if len({_kind(env, agent) for agent in agents}) > 1:
            raise ValueError(
                f"agent_groups has {' and '.join(agents)} in {shown(name)}, but a group is of one team and sees and "
                "does the same"
            )


def _kind(env: Env, agent: str) -> tuple[Any, ...]:
    """What the agents of a group have in common."""
    position = env.agents.index(agent)
    group, _ = env.seat(position)
    return env.teams[position], env.obs_dims[group], env.action_spaces[group]


@lru_cache
def _with_groups(cls: type[Env], members: Members) -> type[Env]:
    """The class of the same task with these groups; always the same for the same, so that its tasks can be equal.

    The task itself plays on with its own groups, which its code may name: here is only what goes in and out.
    """

    class Regrouped(cls):  # type: ignore[misc, valid-type]
        @cached_property
        def _task(self) -> Env:
            return cls(**{field.name: getattr(self, field.name) for field in fields(self)})

        @property
        def groups(self) -> dict[str, tuple[int, ...]]:
            return {name: tuple(map(self.agents.index, agents)) for name, agents in members}

        @property
        def obs_dims(self) -> dict[str, int]:
            return self._of_groups(self._task.obs_dims)

        @property
        def action_spaces(self) -> dict[str, ActionSpace]:
            return self._of_groups(self._task.action_spaces)

        def _of_groups(self, of_task: Mapping[str, Any]) -> dict[str, Any]:
            return {group: of_task[self._task.seat(where[0])[0]] for group, where in self.groups.items()}

        def reset(self, key: Array) -> tuple[State, TimeStep]:
            state, ts = self._task.reset(key)
            return state, self._seen(ts)

        def reset_many(self, keys: Array, wanted: Array) -> tuple[State, TimeStep]:
            state, ts = self._task.reset_many(keys, wanted)
            return state, self._seen(ts)

        def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
            self.check_actions(actions)
            state, ts = self._task.step(key, state, self._chosen(actions))
            return state, self._seen(ts)

        def step_many(self, keys: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
            self.check_actions(actions, keys.shape[:1])
            state, ts = self._task.step_many(keys, state, self._chosen(actions))
            return state, self._seen(ts)

        def observe(self, state: State) -> dict[str, Array]:
            return _moved(self._task, self, self._task.observe(state), axis=-2)

        def _seen(self, ts: TimeStep) -> TimeStep:
            return ts._replace(obs=_moved(self._task, self, ts.obs, axis=-2))

        def _chosen(self, actions: dict[str, Array]) -> dict[str, Array]:
            return _moved(self, self._task, actions, axis=-2 if self.continuous_actions else -1)

    Regrouped.__name__ = cls.__name__
    return Regrouped


def _moved(source: Env, target: Env, of_groups: Mapping[str, Array], axis: int) -> dict[str, Array]:
    """What the agents have, group by group along `axis`, by the groups of another of the same agents."""
    seats = [source.seat(agent) for agent in range(source.num_agents)]
    by_agent = [jnp.take(of_groups[group], position, axis=axis) for group, position in seats]
    return {group: jnp.stack([by_agent[agent] for agent in where], axis=axis) for group, where in target.groups.items()}
