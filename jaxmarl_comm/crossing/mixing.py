"""One team of two: some of its agents act by one team's parameters, the others by another's."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs.base import Env, groups_by_prefix
from jaxmarl_comm.nets.growth import SHAPE
from jaxmarl_comm.nets.params import owner


def first_agents(env: Env) -> np.ndarray:
    """`[N]` bool: who acts by the first team's parameters: the first group by name, or half of the only one."""
    group, *others = groups_by_prefix(env.agents).values()
    first = group if others else group[: (len(group) + 1) // 2]
    return np.isin(np.arange(env.num_agents), first)


def per_agent(team: Any, like: Any) -> Any:
    """The same team with parameters for each agent, `[n, ...]`, where like agents shared them.

    like: the shapes of a team of the same networks that shares none. Raises ValueError if they are of others.
    """
    leaves, wanted = jax.tree.leaves(team), jax.tree.leaves(like)
    spread = [given_to_each(x, there.shape) for x, there in zip(leaves, wanted, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(like), spread)


def given_to_each(x: Any, shape: tuple[int, ...]) -> Any:
    """An array as it is, or, where `shape` has a leading axis more, as often as that is long."""
    if shape not in (x.shape, (*shape[:1], *x.shape)):
        raise ValueError(f"parameters of shape {x.shape} cannot be given to agents that need {shape}")
    return jnp.broadcast_to(x, shape)


def mixed(env: Env, first: np.ndarray, one: Any, other: Any) -> Any:
    """Of two teams with parameters for each agent, one whose `first` agents (`[N]` bool) are of the one.

    Modules' names begin with a group's. The channel's numbers are of the one, too; what networks that may grow have
    come to is that of a group's first agent (see `split_groups`).
    """
    ours, theirs = one.params["params"], other.params["params"]
    modules = {}
    for name, module in ours.items():
        mask = first[list(env.groups[owner(env, name)])]
        if name.endswith(SHAPE):  # of the whole group
            modules[name] = module if mask[0] else theirs[name]
            continue
        modules[name] = jax.tree.map(lambda a, b, mask=mask: choose(mask, a, b), module, theirs[name])
    return one._replace(params={"params": modules})


def split_groups(env: Env, first: np.ndarray) -> list[str]:
    """The groups of which some agents are of the one team and others of the other: their networks must be alike."""
    return [name for name, where in env.groups.items() if len(set(first[list(where)])) == 2]


def choose(mask: np.ndarray, ours: Any, theirs: Any) -> Any:
    """Of two arrays `[n, ...]`, the first one's rows where `mask` `[n]` is true, else the second one's."""
    return jnp.where(mask.reshape(-1, *(1,) * (ours.ndim - 1)), ours, theirs)
