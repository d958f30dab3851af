"""Who plays which side: learned and scripted ones, in any combination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import Act, Algorithm
from jaxmarl_comm.comm.channel import Intervention
from jaxmarl_comm.envs.against import seen_in
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation.episodes import Actor, team_actor
from jaxmarl_comm.scripted.moves import Moves

Array = jax.Array


def scripted_actor(env: Env, moves: Moves) -> Actor:
    """A scripted side. Its acts hold the actions of its own team alone."""

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        return in_silence(env, moves(key, state, obs), ())

    return Actor(act, memory=lambda num_envs: ())


def versus(env: Env, sides: Sequence[Actor]) -> Actor:
    """An actor for each team in order, each acting on the whole environment, of which its own team's actions count.

    All are given the same key, so a learned team against itself does what it does alone. Each keeps its own memory.
    What they send is not told.
    """

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        acts = [side.act(key, state, obs, own, intervene) for side, own in zip(sides, memory, strict=True)]
        actions = {group: acts[team].actions[group] for group, team in env.group_teams.items()}
        return in_silence(env, actions, tuple(act.memory for act in acts))

    return Actor(act, memory=lambda num_envs: tuple(side.memory(num_envs) for side in sides))


def learned_actor(batch: Batch, env: Env, algorithm: Algorithm, team: Any, greedy: Array) -> Actor:
    """A team that learned in `env`: the batch's task, in the same groups or others, or one side of it."""
    own = Batch(env, batch.num_envs)
    return in_groups_of(own, batch, team_actor(own, algorithm, team, greedy))


def in_groups_of(own: Batch, batch: Batch, actor: Actor) -> Actor:
    """An actor of `own`, the batch's task in other groups or one side of it: acts for those of the batch's groups."""
    env = own.env
    if env.groups == batch.env.groups:
        return actor
    names = {group: [batch.env.agents[k] for k in where] for group, where in batch.env.groups.items()}
    known = {group: agents for group, agents in names.items() if set(agents) <= set(env.agents)}
    seats = {group: [env.seat(env.agents.index(agent)) for agent in agents] for group, agents in known.items()}

    def act(key: Array, state: Any, obs: dict[str, Array], memory: Any, intervene: Intervention) -> Act:
        seen = seen_in(env, state, own.num_envs)
        done = actor.act(key, seen, own.observe(seen), memory, intervene)
        actions = {g: jnp.stack([done.actions[at][:, k] for at, k in of], axis=1) for g, of in seats.items()}
        return done._replace(actions=actions)

    return Actor(act, actor.memory)


def in_silence(env: Env, actions: dict[str, Array], memory: Any) -> Act:
    """These actions, with no messages."""
    num_envs = next(iter(actions.values())).shape[0]
    no_messages, never_sent = jnp.zeros((num_envs, env.num_agents, 0)), jnp.zeros((num_envs, 0, env.num_agents))
    return Act(actions, no_messages, never_sent, memory, {})
