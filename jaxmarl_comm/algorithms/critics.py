"""What critics go by. Each agent's begins with its own observation, so that it knows whose value it estimates."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Env

Array = jax.Array
ByGroup = dict[str, Array]


def critic_inputs(env: Env, sees: str, obs: ByGroup, world: Array | None, actions: ByGroup | None) -> ByGroup:
    """group -> `[..., n, S]`, what `critic_input` asks for.

    obs: group -> `[..., n, obs_dim]`. world: `[..., S]`, if critics see the state. actions: group -> `[..., n, ...]`,
    if they see the others'.

    An agent's own action is left out: the baseline of a policy gradient may depend on anything but that, or it would
    take from an action what the action earns (Foerster et al. 2018, lemma 1).
    """
    if sees == "own":
        return obs
    if sees == "state":
        assert world is not None
        everywhere = {
            g: jnp.broadcast_to(world[..., None, :], (*x.shape[:-1], world.shape[-1])) for g, x in obs.items()
        }
        return {group: jnp.concatenate([x, everywhere[group]], axis=-1) for group, x in obs.items()}
    seen = own_first(env, obs)
    if sees == "joint":
        return seen
    assert actions is not None
    chosen = own_first(env, {g: action_vectors(env, g, x) for g, x in actions.items()})
    others = {g: x[..., env.action_spaces[g].dim :] for g, x in chosen.items()}
    return {group: jnp.concatenate([x, others[group]], axis=-1) for group, x in seen.items()}


def own_first(env: Env, parts: ByGroup) -> ByGroup:
    """group -> `[..., n, S]`: what all agents have, `[..., n, d]`, in a row for each of them, with its own in front."""
    by_agent = [parts[group][..., position, :] for group, position in map(env.seat, range(env.num_agents))]

    def as_seen_by(agent: int) -> Array:
        return jnp.concatenate([by_agent[agent], *by_agent[:agent], *by_agent[agent + 1 :]], axis=-1)

    return {group: jnp.stack([as_seen_by(k) for k in where], axis=-2) for group, where in env.groups.items()}


def action_vectors(env: Env, group: str, actions: Array) -> Array:
    """`[..., n, action_dim]`: actions as vectors, an index as one-hot vectors of its factors."""
    space = env.action_spaces[group]
    if space.continuous:
        return actions
    parts = space.split(actions)
    vectors = [jax.nn.one_hot(parts[name], size) for name, size in space.factors]
    return jnp.concatenate([jnp.zeros((*actions.shape, 0)), *vectors], axis=-1)
