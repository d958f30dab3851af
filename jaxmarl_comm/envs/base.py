"""What every environment offers: groups of agents, spaces, `reset` and `step` as pure functions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.scene import Shape

Array = jax.Array
State = Any
WORD = "say"  # the factor of an action that is a word


class TimeStep(NamedTuple):
    """What one environment shows after a reset or a step.

    obs: group -> `[n, obs_dim]`, for the n agents of the group.
    reward: `[N]`, one per agent in canonical order; zeros after a reset.
    terminated: `[]` bool, the task itself has ended: nothing follows, so its value is 0.
    truncated: `[]` bool, the clock ran out: the value of `obs` still counts.
    """

    obs: dict[str, Array]
    reward: Array
    terminated: Array
    truncated: Array


class ActionSpace(NamedTuple):
    """The actions of one agent, as the factors that it chooses independently.

    factors: (name, size) pairs, e.g. `(("move", 5), ("say", 10))`; `say` is a word, all others are deeds.
    continuous: False: PettingZoo's `Discrete(n)`, the first factor being the fast digit of the index.
        True: PettingZoo's `Box(0, 1, (dim,))`, the factors side by side.
    """

    factors: tuple[tuple[str, int], ...]
    continuous: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(size for _, size in self.factors)

    @property
    def deeds(self) -> tuple[str, ...]:
        """Names of the factors with which something is done, and not said."""
        return tuple(name for name, _ in self.factors if name != WORD)

    @property
    def n(self) -> int:
        """Number of discrete actions."""
        return math.prod(self.sizes)

    @property
    def dim(self) -> int:
        """Length of a continuous action."""
        return sum(self.sizes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one action: `()` of an index, `(dim,)` of a vector."""
        return (self.dim,) if self.continuous else ()

    @property
    def allowed(self) -> str:
        """What one action must be, in words."""
        return f"{self.dim} numbers from 0 to 1" if self.continuous else f"an integer from 0 to {self.n - 1}"

    def in_range(self, numbers: np.ndarray) -> np.ndarray:
        """Whether each number may stand in an action; NaN may not."""
        return (numbers >= 0) & (numbers <= (1 if self.continuous else self.n - 1))

    def split(self, action: Array) -> dict[str, Array]:
        """`[...]` index (or `[..., dim]` vector) -> factor name -> `[...]` index (or `[..., size]` vector)."""
        parts, offset, stride = {}, 0, 1
        for name, size in self.factors:
            if self.continuous:
                parts[name] = action[..., offset : offset + size]
            else:
                parts[name] = action // stride % size
            offset, stride = offset + size, stride * size
        return parts

    def join(self, parts: dict[str, Array], batch_shape: tuple[int, ...]) -> Array:
        """The inverse of `split`. A factor that is not given is 0: not moving, or always the same word."""
        if self.continuous:
            vectors = [parts.get(name, jnp.zeros((*batch_shape, size))) for name, size in self.factors]
            return jnp.concatenate(vectors, axis=-1)
        action, stride = jnp.zeros(batch_shape, jnp.int32), 1
        for name, size in self.factors:
            action = action + stride * parts.get(name, jnp.zeros(batch_shape, jnp.int32))
            stride *= size
        return action


def per_team(measure: str, team_names: Sequence[str]) -> tuple[str, ...]:
    """Names under which a measure of each of these teams is reported: see `Env.per_team`."""
    return (measure,) if len(team_names) == 1 else tuple(f"{measure}_{name}" for name in team_names)


def groups_by_prefix(agents: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Group -> positions of its agents, whose ids are the group's name and a number."""
    members: dict[str, list[int]] = {}
    for position, agent in enumerate(agents):
        members.setdefault(agent.rsplit("_", 1)[0], []).append(position)
    return {group: tuple(positions) for group, positions in members.items()}


@dataclass(frozen=True, kw_only=True)
class Env(ABC):
    """One multi-agent environment as pure functions; `jax.vmap` makes many of them.

    Agents with the same spaces form a *group*, named by the prefix of their ids (`speaker_0` is in group `speaker`).
    Observations and actions are dictionaries of one array per group; rewards are one array over all agents in
    canonical order, which is PettingZoo's `possible_agents`.

    max_cycles: steps of an episode, after which it is truncated.
    continuous_actions: actions are vectors in [0, 1] instead of indices.
    """

    max_cycles: int = 25
    continuous_actions: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in the registry, which is PettingZoo's where the task comes from there."""

    @property
    @abstractmethod
    def agents(self) -> tuple[str, ...]:
        """Agent ids in canonical order."""

    @property
    @abstractmethod
    def obs_dims(self) -> dict[str, int]:
        """Group -> length of an observation."""

    @property
    @abstractmethod
    def action_spaces(self) -> dict[str, ActionSpace]:
        """Group -> action space."""

    @abstractmethod
    def reset(self, key: Array) -> tuple[State, TimeStep]:
        """A fresh episode. The key is consumed."""

    def reset_many(self, keys: Array, wanted: Array) -> tuple[State, TimeStep]:
        """`reset` of a batch, keys `[E]`. Where `wanted` `[E]` is false, a task may show and keep anything."""
        return jax.vmap(self.reset, out_axes=(self.state_axes, self.time_step_axes))(keys)

    @abstractmethod
    def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """One step with group -> `[n]` indices (or `[n, dim]` vectors). It never resets: see `batch.py`.

        Raises ValueError for actions that `check_actions` finds wrong.
        """

    def step_many(self, keys: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """`step` of a batch: keys `[E]`, and every array with an axis `[E]` first, in lockstep all but clock and flags.

        A task may know a faster way than this `jax.vmap`, with the same results and errors.
        """
        self.check_actions(actions, keys.shape[:1])
        axes = self.state_axes
        return jax.vmap(self.step, in_axes=(0, axes, 0), out_axes=(axes, self.time_step_axes))(keys, state, actions)

    @abstractmethod
    def observe(self, state: State) -> dict[str, Array]:
        """Group -> `[n, obs_dim]`: what the agents see in this state."""

    @property
    @abstractmethod
    def state_axes(self) -> State:
        """`vmap` axes of the state: 0, or None for what all environments of a lockstep batch share (the clock)."""

    @property
    def time_step_axes(self) -> TimeStep:
        """`vmap` axes of a time step: all environments of a lockstep batch share the flags."""
        flags = 0 if self.ends_early else None
        return TimeStep(obs=0, reward=0, terminated=flags, truncated=flags)  # type: ignore[arg-type]

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Group -> canonical positions of its agents."""
        return groups_by_prefix(self.agents)

    @property
    def num_agents(self) -> int:
        return len(self.agents)

    @property
    def teams(self) -> tuple[int, ...]:
        """Team of each agent in canonical order: 0, and in competitive tasks 1 for the adversaries."""
        return (0,) * self.num_agents

    @property
    def team_names(self) -> tuple[str, ...]:
        """Names of the teams, by their numbers."""
        return ("good", "adversary")[: max(self.teams) + 1]

    @cached_property
    def team_members(self) -> tuple[tuple[int, ...], ...]:
        """Of each team, the canonical positions of its agents."""
        return tuple(
            tuple(agent for agent, of in enumerate(self.teams) if of == team) for team in range(len(self.team_names))
        )

    @cached_property
    def group_teams(self) -> dict[str, int]:
        """Group -> the team that its agents belong to."""
        return {group: self.teams[where[0]] for group, where in self.groups.items()}

    def per_team(self, measure: str) -> tuple[str, ...]:
        """Names under which a measure of each team is reported.

        `("return",)` in a task of one team, `("return_good", "return_adversary")` where sides compete.
        """
        return per_team(measure, self.team_names)

    def team_means(self, x: Array) -> Array:
        """`[..., N]` -> `[..., T]`: the mean over each team's agents."""
        return jnp.stack([x[..., np.array(where)].mean(axis=-1) for where in self.team_members], axis=-1)

    @property
    def ladder(self) -> Ladder | None:
        """Where silent and all-knowing teams stand; None where it was not computed for such arguments."""
        return None

    @property
    def reference(self) -> str | None:
        """Name of the package in which this very task exists, too, to judge teams there; None if there is none."""
        return None

    def make_reference(self) -> Any:
        """This task in its reference: a PettingZoo `ParallelEnv` of the same agents, observations and actions."""
        raise NotImplementedError(f"{self.name} has no reference implementation")

    def reference_positions(self, original: Any) -> np.ndarray:
        """`[N, 2]`: where the agents of an environment made by `make_reference` are; NaN in a task without places."""
        return np.full((self.num_agents, 2), np.nan, np.float32)

    @property
    def bytes_of_copy(self) -> int:
        """Memory that each copy takes outside of the compiled program."""
        return 0

    def told(self, num_envs: int, eval_episodes: int) -> list[str]:
        """Lines for the user before a run with so many copies begins, of what may come as a surprise."""
        return []

    def is_default(self, *but: str) -> bool:
        """Whether all arguments, other than those named, have their default values."""
        return all(getattr(self, field.name) == field.default for field in fields(self) if field.name not in but)

    @property
    def ends_early(self) -> bool:
        """Whether an episode can terminate before `max_cycles`; if not, a batch runs in lockstep (see `batch.py`)."""
        return False

    def check_actions(self, actions: dict[str, Array], batch_shape: tuple[int, ...] = ()) -> None:
        """Raise ValueError, in one line, unless each group has its actions: `[*batch_shape, n]` or `[..., n, dim]`.

        Shapes and types are known while tracing. Numbers are checked only where they are known, too: under `jit` and
        `vmap` they are not, and it is up to the task what becomes of those out of range.
        """
        expected = {group: (*batch_shape, len(w), *self.action_spaces[group].shape) for group, w in self.groups.items()}
        shapes = {group: jnp.shape(action) for group, action in actions.items()}
        if shapes != expected:
            raise ValueError(f"{self.name}: actions have shapes {shapes}, but must have {expected}")
        for group, action in actions.items():
            space, kind = self.action_spaces[group], jnp.result_type(action)
            if not jnp.issubdtype(kind, jnp.floating if space.continuous else jnp.integer):
                raise ValueError(f"{self.name}: actions of {group} are {kind}, but each must be {space.allowed}")
            if isinstance(action, jax.core.Tracer):
                continue
            numbers = np.asarray(action)
            wrong = numbers[~space.in_range(numbers)]
            if wrong.size:
                raise ValueError(
                    f"{self.name}: among the actions of {group} is {wrong[0]!s}, but each must be {space.allowed}"
                )

    def global_state(self, state: State) -> Array:
        """`[S]`: all agents' observations in canonical order, as PettingZoo's `state()`."""
        obs = self.observe(state)
        return jnp.concatenate(
            [obs[group][position] for agent in range(self.num_agents) for group, position in [self.seat(agent)]]
        )

    def world_state(self, state: State) -> Array:
        """`[S]`: all that is to be known of this state, for critics; by default what `global_state` is."""
        return self.global_state(state)

    def render(self, state: State) -> np.ndarray:
        """`[H, W, 3]` uint8, a picture of this state."""
        raise NotImplementedError(f"{self.name} draws no pictures")

    def seat(self, agent: int) -> tuple[str, int]:
        """(group, position within it) of the agent at this canonical position."""
        for group, positions in self.groups.items():
            if agent in positions:
                return group, positions.index(agent)
        raise IndexError(f"{self.name} has {self.num_agents} agents, so no agent {agent}")

    def split(self, x: Array, axis: int = -1) -> dict[str, Array]:
        """Cut an array over all agents (along `axis`) into group -> array."""

        def part(where: tuple[int, ...]) -> Array:
            if where == tuple(range(where[0], where[-1] + 1)):
                return jax.lax.slice_in_dim(x, where[0], where[-1] + 1, axis=axis)  # cheaper than a gather
            return jnp.take(x, jnp.array(where), axis=axis)

        return {group: part(where) for group, where in self.groups.items()}

    def join(self, parts: dict[str, Array], axis: int = -1) -> Array:
        """The inverse of `split`: one array over all agents in canonical order."""
        order = [position for positions in self.groups.values() for position in positions]
        stacked = jnp.concatenate([parts[group] for group in self.groups], axis=axis)
        if order == sorted(order):
            return stacked
        return jnp.take(stacked, jnp.array([order.index(k) for k in range(len(order))]), axis=axis)

    # What only the task can say of finished episodes; a task with nothing to say keeps these.

    @property
    def measures(self) -> dict[str, float]:
        """Name -> factor: what a return says in the task's own unit, e.g. `{"cost": -300.0}`, in tasks of one team."""
        return {}

    def judge(self, starts: State, returns: np.ndarray) -> dict[str, np.ndarray]:
        """Name -> `[S, E]`, of which the mean over episodes is reported; NaN for episodes that were not judged.

        starts: the states in which E episodes began, every array with an axis `[E]`, in numpy. returns: `[S, E, T]`, of
        S seeds' teams in these very episodes, mean over each team's agents.
        """
        return {}

    # What films of episodes show; a task without bodies keeps these, and cannot be filmed.

    @property
    def scene(self) -> tuple[Shape, ...]:
        """The bodies that are to be seen; none if the task has no places."""
        return ()

    def places(self, state: State) -> Array:
        """`[B, 2]`: where the bodies of the scene are."""
        raise ValueError(f"{self.name} has no places, so there is nothing to be seen of it")

    def destinations(self, state: State) -> Array:
        """`[N, 2]`: the place where each agent ought to be, as the task's `targets` say; NaN if it has none."""
        targets = getattr(self, "targets", None)
        return jnp.full((self.num_agents, 2), jnp.nan) if targets is None else targets(state)

    # What communication studies ask of a task; a task without private goals or words keeps these.

    @property
    def num_goals(self) -> int:
        """Number of values of an agent's private goal; 0 if nobody has one."""
        return 0

    def goals(self, state: State) -> Array:
        """`[N]` int: the goal that each agent alone knows and should tell, -1 for an agent that knows none."""
        return jnp.full(self.num_agents, -1)

    def shared_key(self, state: State) -> Array:
        """`[]` int: what those who are meant to understand a message know beside it; -1: there is no such thing."""
        return jnp.array(-1)

    def words(self, state: State) -> Array:
        """`[N, dim_c]`: what each agent says aloud in this state (zeros for the silent)."""
        return jnp.zeros((self.num_agents, 0))

    def with_words(self, state: State, words: Array) -> State:
        """The same state, in which `words` `[N, dim_c]` were said instead."""
        return state

    def positions(self, state: State) -> Array:
        """`[N, 2]`: where the agents are, for channels that reach only so far."""
        raise ValueError(f"{self.name} has no positions, so its agents cannot hear whoever is near")

    @property
    def tells_success(self) -> bool:
        """Whether `outcome` says anything."""
        return type(self).outcome is not Env.outcome

    def outcome(self, state: State) -> dict[str, Array]:
        """In this state, each team's `success` (`[T]`) and the mean `distance` to targets (`[]`); NaN if undefined."""
        return {"success": jnp.full(len(self.team_names), jnp.nan), "distance": jnp.array(jnp.nan)}
