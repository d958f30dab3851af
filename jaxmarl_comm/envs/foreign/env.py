"""A PettingZoo environment of others as a pure function of its seed and its actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs import ENVS
from jaxmarl_comm.envs.base import ActionSpace, Array, Env, TimeStep, groups_by_prefix
from jaxmarl_comm.envs.foreign.contract import Call, Description
from jaxmarl_comm.envs.foreign.host import Host, description, host_of
from jaxmarl_comm.trees import as_batch_of_one, out_of_batch_of_one


class ForeignState(NamedTuple):
    """seed: `[]`, of the episode. t: `[]`, steps since the start. log: `[max_cycles, N(, D)]`, actions until then.

    obs: `[O]`, what all agents see, one after the other.
    """

    seed: Array
    t: Array
    log: Array
    obs: Array


@dataclass(frozen=True, kw_only=True)
class ForeignEnv(Env):
    """call: what makes it. ends_early: whether its episodes may end before max_cycles. num_workers: processes."""

    call: Call
    ends_early: bool = True  # type: ignore[misc]
    num_workers: int = field(default=1, compare=False)

    @property
    def name(self) -> str:
        return self.call.name

    @cached_property
    def described(self) -> Description:
        """What it is like."""
        return description(self.call)

    @cached_property
    def host(self) -> Host:
        """Where it is played."""
        host = host_of(self.call)
        host.num_workers = self.num_workers
        return host

    @property
    def bytes_of_copy(self) -> int:
        return self.described.bytes

    def told(self, num_envs: int, eval_episodes: int) -> list[str]:
        rate = self.num_workers / self.described.seconds
        seconds = eval_episodes * self.max_cycles / rate
        twin = self.call.target.rpartition(".")[2]
        same = f"; the same task here, compiled: {twin}" if twin in ENVS else ""
        lines = [
            f"hint: {self.name} is Python, {num_envs:,} copies in {self.num_workers} processes: at best about "
            f"{rate:,.0f} steps per second, and {eval_episodes:,} episodes of an evaluation in {seconds:,.0f} s, "
            f"eight times or so{same}"
        ]
        if not self.described.repeats:
            lines.append(
                f"hint: {self.name} did not repeat an episode from the same seed and actions, so a resumed run "
                "will not be the same bit for bit"
            )
        return lines

    @property
    def agents(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.described.agents

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        return groups_of(self.described)

    @cached_property
    def obs_dims(self) -> dict[str, int]:
        return {group: self.described.obs_dims[where[0]] for group, where in self.groups.items()}

    @cached_property
    def action_spaces(self) -> dict[str, ActionSpace]:
        return {
            group: ActionSpace(self.described.factors[where[0]], self.continuous_actions)
            for group, where in self.groups.items()
        }

    @property
    def state_axes(self) -> ForeignState:
        return ForeignState(seed=0, t=0 if self.ends_early else None, log=0, obs=0)  # type: ignore[arg-type]

    def reset(self, key: Array) -> tuple[ForeignState, TimeStep]:
        return self._first(*self.reset_many(key[None], jnp.ones(1, bool)))

    def step(self, key: Array, state: ForeignState, actions: dict[str, Array]) -> tuple[ForeignState, TimeStep]:
        """See `Env.step`: a batch of one. The key is not used: all chance is in the episode's seed."""
        self.check_actions(actions)
        alone = as_batch_of_one(self.state_axes, state)
        return self._first(*self.step_many(key[None], alone, {group: x[None] for group, x in actions.items()}))

    def reset_many(self, keys: Array, wanted: Array) -> tuple[ForeignState, TimeStep]:
        seed = jax.vmap(lambda key: jax.random.randint(key, (), 0, jnp.iinfo(jnp.int32).max))(keys)
        shape = jax.ShapeDtypeStruct((len(keys), sum(self.described.obs_dims)), jnp.float32)
        obs = jax.pure_callback(self.host.reset, shape, seed, wanted, vmap_method="broadcast_all")
        clocks = keys.shape if self.ends_early else ()
        log = jnp.zeros((len(keys), self.max_cycles, *self.described.action_shape), self._action_type)
        state = ForeignState(seed, jnp.zeros(clocks, jnp.int32), log, obs)
        never = jnp.zeros(clocks, bool)
        return state, TimeStep(self._observe_many(state), jnp.zeros((len(keys), self.num_agents)), never, never)

    def step_many(self, keys: Array, state: ForeignState, actions: dict[str, Array]) -> tuple[ForeignState, TimeStep]:
        self.check_actions(actions, keys.shape[:1])
        rows, done = len(keys), self._joined(actions)
        t = jnp.broadcast_to(state.t, (rows,))
        shapes = (
            jax.ShapeDtypeStruct((rows, sum(self.described.obs_dims)), jnp.float32),
            jax.ShapeDtypeStruct((rows, self.num_agents), jnp.float32),
            jax.ShapeDtypeStruct((rows,), bool),
            jax.ShapeDtypeStruct((rows,), bool),
        )
        play = self.host.step if self.ends_early else self.host.step_in_lockstep
        obs, reward, terminated, truncated = jax.pure_callback(
            play, shapes, state.seed, t, state.log, done, vmap_method="broadcast_all"
        )
        log = state.log.at[jnp.arange(rows), t].set(done) if self.ends_early else state.log.at[:, state.t].set(done)
        after = ForeignState(state.seed, state.t + 1, log, obs)
        out_of_time = after.t >= self.max_cycles
        if self.ends_early:
            flags = terminated, (truncated | out_of_time) & ~terminated
        else:
            flags = jnp.zeros((), bool), out_of_time
        return after, TimeStep(self._observe_many(after), reward, *flags)

    def observe(self, state: ForeignState) -> dict[str, Array]:
        starts = np.concatenate([[0], np.cumsum(self.described.obs_dims)[:-1]])
        return {
            group: jnp.stack([state.obs[starts[k] : starts[k] + self.described.obs_dims[k]] for k in where])
            for group, where in groups_of(self.described).items()
        }

    @property
    def _action_type(self) -> Any:
        return jnp.float32 if self.continuous_actions else jnp.int32

    def _observe_many(self, state: ForeignState) -> dict[str, Array]:
        return jax.vmap(self.observe, in_axes=(self.state_axes,))(state)

    def _joined(self, actions: dict[str, Array]) -> Array:
        """`[E, N(, D)]` of all agents; vectors of those who have fewer numbers end in zeros."""
        most = self.described.action_shape[1:]
        wide = {
            group: jnp.pad(x, [(0, 0), (0, 0), *((0, d - x.shape[-1]) for d in most)]) for group, x in actions.items()
        }
        return self.join(wide, axis=1).astype(self._action_type)

    def _first(self, state: ForeignState, ts: TimeStep) -> tuple[ForeignState, TimeStep]:
        """Of a batch of one."""
        flags: Any = self.time_step_axes
        axes = (self.state_axes, flags._replace(obs=dict.fromkeys(ts.obs, 0)))
        return out_of_batch_of_one(axes, (state, ts))


def groups_of(described: Description) -> dict[str, tuple[int, ...]]:
    """Agents whose ids begin alike, if their spaces are the same; else each kind among them, named by its first."""
    groups: dict[str, tuple[int, ...]] = {}
    for prefix, where in groups_by_prefix(described.agents).items():
        kinds: dict[Any, list[int]] = {}
        for k in where:
            kinds.setdefault((described.obs_dims[k], described.factors[k]), []).append(k)
        alone = len(kinds) == 1
        groups |= {prefix if alone else described.agents[of[0]]: tuple(of) for of in kinds.values()}
    return groups
