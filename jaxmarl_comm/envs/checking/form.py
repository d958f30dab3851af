"""What a task says of itself, and whether its functions return what they should: without computing a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import ActionSpace, Env, State, TimeStep, groups_by_prefix
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.outside import in_words
from jaxmarl_comm.envs.scene import Shape
from jaxmarl_comm.suggest import listed, shown

KEY = jax.eval_shape(lambda: jax.random.key(0))


def mistakes_of_form(env: Env) -> Iterator[str]:
    """What is wrong with names, spaces, shapes and types, a line each; nothing more where that much is wrong."""
    for look in (_names, _spaces, _teams):
        if found := list(_told(look, env)):
            yield from found
            return
    try:
        state, first = jax.eval_shape(env.reset, KEY)
    except Exception as error:  # whatever somebody's code does
        yield f"reset fails: {in_words(error)}"
        return
    if found := [*_time_step(env, first, "reset"), *_axes(env, state)]:
        yield from found
        return
    yield from _step(env, state)
    yield from _observed(env, state)
    yield from _optional(env, state)


def actions_like(env: Env, *batch_shape: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and types of actions of all groups."""
    kind = jnp.float32 if env.continuous_actions else jnp.int32
    return {
        group: jax.ShapeDtypeStruct((*batch_shape, len(where), *env.action_spaces[group].shape), kind)
        for group, where in env.groups.items()
    }


def _told(look: Callable[..., Iterator[str]], *given: Any) -> Iterator[str]:
    try:
        yield from look(*given)
    except Exception as error:  # whatever somebody's code does
        yield f"{look.__name__.removeprefix('_').removeprefix('of_')} cannot be read: {in_words(error)}"


def _names(env: Env) -> Iterator[str]:
    agents = env.agents
    if not isinstance(env.name, str) or not env.name:
        yield f"name is {shown(env.name)}, but must be a word"
    if not isinstance(agents, tuple | list) or not agents or not all(isinstance(agent, str) for agent in agents):
        yield f"agents is {shown(agents)}, but must be a tuple of ids in a fixed order"
        return
    if agents != env.agents:
        yield "agents are others each time they are asked for"
    if len(set(agents)) != len(agents):
        yield f"agents is {shown(agents)}, but an id may be there only once"
    numbered = {group: [agents[k].removeprefix(f"{group}_") for k in where] for group, where in env.groups.items()}
    for group, numbers in numbered.items():
        known = [int(number) for number in numbers if number.isdecimal()]
        if known != sorted(known) and env.groups == groups_by_prefix(agents):
            yield f"the agents of {group} are numbered {listed(numbers)}, but must be in the order of their numbers"
    if sorted(k for where in env.groups.values() for k in where) != list(range(len(agents))):
        yield f"groups is {shown(env.groups)}, but must hold each of the {len(agents)} agents once"


def _spaces(env: Env) -> Iterator[str]:
    for name in ("obs_dims", "action_spaces"):
        if set(getattr(env, name)) != set(env.groups):
            given, groups = (listed(list(of_groups)) for of_groups in (getattr(env, name), env.groups))
            yield f"{name} is of {given}, but the groups of the agents are {groups}"
            return
    for group, dim in env.obs_dims.items():
        if not isinstance(dim, int | np.integer) or dim < 1:
            yield f"obs_dims of {group} is {shown(dim)}, but must be a whole number from 1 on"
    for group, space in env.action_spaces.items():
        if not isinstance(space, ActionSpace):
            yield f"action_spaces of {group} is {shown(space)}, but must be an ActionSpace"
        elif not space.factors or any(size < 1 for size in space.sizes):
            yield f"action_spaces of {group} has factors {shown(space.factors)}, but each must have a size from 1 on"
        elif len(dict(space.factors)) != len(space.factors):
            yield f"action_spaces of {group} has factors {shown(space.factors)}, but a name may be there only once"
        elif space.continuous != env.continuous_actions:
            yield (
                f"action_spaces of {group} is {'' if space.continuous else 'not '}continuous, while continuous_actions "
                f"is {env.continuous_actions}: a task that has one kind alone must refuse the other in __post_init__"
            )


def _teams(env: Env) -> Iterator[str]:
    if len(env.teams) != env.num_agents or set(env.teams) != set(range(len(env.team_names))):
        yield (
            f"teams is {shown(env.teams)} and team_names {shown(env.team_names)}, but must be a number for each of the "
            f"{env.num_agents} agents, from 0 on, and a name for each number"
        )
        return
    for group, where in env.groups.items():
        if len({env.teams[k] for k in where}) > 1:
            yield f"the agents of {group} are of several teams, but a group is of one"


def _time_step(env: Env, ts: Any, of: str) -> Iterator[str]:
    if not isinstance(ts, TimeStep):
        yield f"{of} returns {type(ts).__name__} behind the state, but must return a TimeStep"
        return
    yield from _of_obs(env, ts.obs, of)
    yield from _is("reward", ts.reward, (env.num_agents,), jnp.float32, of)
    yield from _is("terminated", ts.terminated, (), jnp.bool_, of)
    yield from _is("truncated", ts.truncated, (), jnp.bool_, of)


def _of_obs(env: Env, obs: Any, of: str) -> Iterator[str]:
    if not isinstance(obs, dict) or set(obs) != set(env.groups):
        given = listed(list(obs)) if isinstance(obs, dict) else type(obs).__name__
        yield f"{of} returns observations of {given}, but must return a dictionary of {listed(list(env.groups))}"
        return
    for group, where in env.groups.items():
        yield from _is(f"the observations of {group}", obs[group], (len(where), env.obs_dims[group]), jnp.float32, of)


def _is(what: str, x: Any, shape: tuple[int, ...], kind: Any, of: str) -> Iterator[str]:
    if jnp.shape(x) != shape:
        yield f"{of}: {what} has shape {jnp.shape(x)}, but must have {shape}" + plural(what)
    elif not jnp.issubdtype(jnp.result_type(x), kind):
        yield f"{of}: {what} is {jnp.result_type(x)}, but must be {jnp.dtype(kind).name}"


def plural(what: str) -> str:
    """Where the shape of an observation comes from."""
    return " (as obs_dims says)" if what.startswith("the observations") else ""


def _axes(env: Env, state: State) -> Iterator[str]:
    """Whether each leaf of the state has its axis."""
    axes, none = env.state_axes, lambda axis: axis is None
    if not _same_structure(axes, state):
        yield f"state_axes is {shown(axes)}, but must be as the state is: {shown(jax.tree.structure(state))}"
    elif wrong := {axis for axis in jax.tree.leaves(axes, is_leaf=none) if axis not in (0, None)}:
        yield f"state_axes has {shown(wrong.pop())}, but each must be 0, or None for what all environments share"
    elif env.ends_early and None in jax.tree.leaves(axes, is_leaf=none):
        yield "ends_early is true, so no two environments share a clock: each of state_axes must be 0"


def _step(env: Env, state: State) -> Iterator[str]:
    try:
        after, ts = jax.eval_shape(env.step, KEY, state, actions_like(env))
    except Exception as error:
        yield f"step fails: {in_words(error)}"
        return
    yield from _time_step(env, ts, "step")
    if not _same_structure(after, state):
        now, before = (shown(jax.tree.structure(x)) for x in (after, state))
        yield f"step returns a state of {now}, but reset one of {before}"
        return
    for (path, before), now in zip(jax.tree.leaves_with_path(state), jax.tree.leaves(after), strict=True):
        if (before.shape, before.dtype) != (now.shape, now.dtype):
            yield (
                f"step returns a state whose {jax.tree_util.keystr(path).lstrip('.')} is {now.dtype}{list(now.shape)}, "
                f"but in reset's it is {before.dtype}{list(before.shape)}"
            )


def _observed(env: Env, state: State) -> Iterator[str]:
    try:
        yield from _of_obs(env, jax.eval_shape(env.observe, state), "observe")
    except Exception as error:
        yield f"observe fails: {in_words(error)}"


def _optional(env: Env, state: State) -> Iterator[str]:
    """What a task need not tell, but tells."""
    if found := list(_told(_properties, env)):
        yield from found
        return
    agents, bodies = env.num_agents, len(env.scene)
    hooks: dict[str, tuple[Callable[[State], Any], Any, Any]] = {
        "goals": (env.goals, (agents,), np.integer),
        "shared_key": (env.shared_key, (), np.integer),
        "outcome's success": (lambda s: env.outcome(s)["success"], (len(env.team_names),), np.generic),
        "outcome's distance": (lambda s: env.outcome(s)["distance"], (), np.floating),
        "destinations": (env.destinations, (agents, 2), np.floating),
    }
    if bodies:
        hooks["places"] = (env.places, (bodies, 2), np.floating)
    for name, (function, shape, kind) in hooks.items():
        try:
            found = jax.eval_shape(function, state)
        except Exception as error:
            yield f"{name} fails: {in_words(error)}"
            continue
        if found.shape != shape or not jnp.issubdtype(found.dtype, kind):
            yield f"{name} is {found.dtype}{list(found.shape)}, but must be {kind.__name__}{list(shape)}"
    for look in (_of_words, _of_world):
        yield from _told(look, env, state)


def _properties(env: Env) -> Iterator[str]:
    """What is told once and for all."""
    if not isinstance(env.measures, Mapping) or not all(isinstance(x, Real) for x in env.measures.values()):
        yield f"measures is {shown(env.measures)}, but must be a property: a dictionary of names and numbers"
    if not isinstance(env.ladder, Ladder | None):
        yield f"ladder is {shown(env.ladder)}, but must be a Ladder, or None"
    if not isinstance(env.num_goals, int | np.integer):
        yield f"num_goals is {shown(env.num_goals)}, but must be a whole number"
    if not isinstance(env.scene, tuple | list) or not all(isinstance(body, Shape) for body in env.scene):
        yield f"scene is {shown(env.scene)}, but must be a tuple of Shapes"


def _of_world(env: Env, state: State) -> Iterator[str]:
    world = jax.eval_shape(env.world_state, state)
    if len(world.shape) != 1:
        yield f"world_state is {world.dtype}{list(world.shape)}, but must be one row of numbers"


def _of_words(env: Env, state: State) -> Iterator[str]:
    words = jax.eval_shape(env.words, state)
    if len(words.shape) != 2 or words.shape[0] != env.num_agents:
        yield f"words is {words.dtype}{list(words.shape)}, but must be a row for each of the {env.num_agents} agents"
        return
    after = jax.eval_shape(env.with_words, state, words)
    if not _same_structure(after, state):
        yield "with_words returns another kind of state than it was given"


def _same_structure(one: Any, other: Any) -> bool:
    """Whether two trees are alike but for their leaves, of which None may be one."""
    a: Any = jax.tree.structure(one, is_leaf=lambda x: x is None)
    b: Any = jax.tree.structure(other, is_leaf=lambda x: x is None)
    return bool(a == b)
