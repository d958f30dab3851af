"""What critics go by. Each agent's begins with its own observation, so that it knows whose value it estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.comm.channel import Circumstances
from jaxmarl_comm.envs.base import Env, State
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.nets.critic import Critic, Memories
from jaxmarl_comm.nets.params import Params
from jaxmarl_comm.trees import environments_first, steps_first

if TYPE_CHECKING:
    from jaxmarl_comm.ppo_config import PPOConfig

Array = jax.Array
ByGroup = dict[str, Array]


class Moment(NamedTuple):
    """What critics go by at one step or at many: obs, actions: group -> `[..., n, ...]`. heard: `[..., N, H]`, or None.

    circumstances: with what `TeamCritic.notes` says.
    """

    obs: ByGroup
    circumstances: Circumstances
    actions: ByGroup
    heard: Array | None


class TeamCritic:
    """Pure functions that estimate all agents' values, closed over what is static. Nothing here changes.

    Values are normalised. listens: whether critics hear what their agents do. remembers: whether they have memory.
    """

    def __init__(self, cfg: PPOConfig, env: Env) -> None:
        self.env, self.sees = env, cfg.critic_sees
        self.listens = cfg.comm.rounds > 0 and cfg.comm.integrate_into != "policy"
        self.remembers = cfg.net.critic_memory != "none"
        self.heard_dim = self.listens * cfg.comm.rounds * cfg.channel(env).heard_dim
        self.net: Any = Critic(
            env,
            cfg.nets(env.groups),
            cfg.critic_sharing,
            agent_id=cfg.critic_id,
            embed_dim=cfg.critic_embed_dim,
            memory=cfg.net.critic_memory,
            precision=cfg.net.precision,
        )

    def init(self, key: Array, obs: ByGroup, circumstances: Circumstances) -> Params:
        """Parameters. obs: group -> `[E, n, obs_dim]`, of which only the shape matters. The key is consumed."""
        num_envs = len(next(iter(obs.values())))
        heard = jnp.zeros((num_envs, self.env.num_agents, self.heard_dim))
        moment = Moment(obs, circumstances, self.nothing_done(num_envs), heard)
        return self.net.start(key, *self.inputs(moment), self.memory(num_envs))

    def memory(self, num_envs: int) -> Memories:
        """At the start of an episode."""
        return self.net.nothing(num_envs)

    def notes(self, batch: Batch, state: State, clock: Array) -> Circumstances:
        """What critics will want to know of this moment, beside what agents see. clock: `[E]`, steps since the start"""
        noted = {"world": batch.world_state(state)} if self.sees == "state" else {}
        return noted | {"clock": clock} if self.remembers else noted

    def nothing_done(self, num_envs: int) -> ByGroup:
        """group -> `[E, n, ...]` actions, all 0, for the sake of their shape."""
        kind, spaces = float if self.env.continuous_actions else int, self.env.action_spaces
        return {g: jnp.zeros((num_envs, len(where), *spaces[g].shape), kind) for g, where in self.env.groups.items()}

    def inputs(self, moment: Moment) -> tuple[ByGroup, Array | None]:
        """(group -> `[..., n, S]`, what else critics hear)."""
        seen = critic_inputs(self.env, self.sees, moment.obs, moment.circumstances.get("world"), moment.actions)
        return seen, moment.heard if self.listens else None

    def step(self, params: Params, moment: Moment, memories: Memories) -> tuple[Array, Memories]:
        """(values `[E, N]` at one step, what critics remember next)."""
        return self.net.apply(params, *self.inputs(moment), memories)

    def along(self, params: Params, recorded: Moment, memories: Memories) -> Array:
        """`[T, E, N]` at recorded steps `[T, E, ...]`. memories: before the first."""
        begins = recorded.circumstances["clock"] == 0 if self.remembers else None
        return self.net.apply(params, *self.inputs(recorded), memories, begins)[0]

    def replay(self, params: Params, recorded: Moment, memories: Memories) -> Array:
        """The same with environments first, `[E, T, ...]`: which only matters to who remembers."""
        if not self.remembers:
            return self.along(params, recorded, memories)
        return environments_first(self.along(params, steps_first(recorded), memories))


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
