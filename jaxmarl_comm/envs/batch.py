"""Many copies of one environment, and how an ended episode becomes a new one."""

from __future__ import annotations

from dataclasses import dataclass

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Array, Env, State, TimeStep
from jaxmarl_comm.trees import map_axes, where_each


@dataclass(frozen=True)
class Batch:
    """`num_envs` copies of an environment.

    Where episodes have a fixed length, all copies run in lockstep and share one clock, a scalar: so "is the episode
    over?" is a real branch, and fresh worlds are drawn once per episode instead of at every step. (Under a `vmap` over
    seeds, keep the clock unbatched: `Env.state_axes` says how.) Where episodes can end early, each copy has its own
    clock and flags (`[E]`) and is restarted by itself.
    """

    env: Env
    num_envs: int

    def reset(self, key: Array, wanted: Array | None = None) -> tuple[State, TimeStep]:
        """Fresh episodes everywhere; every array gains a leading axis `[E]`, in lockstep all but clock and flags.

        wanted: `[E]` bool, False for copies that nobody will look at.
        """
        wanted = jnp.ones(self.num_envs, bool) if wanted is None else wanted
        return self.env.reset_many(jax.random.split(key, self.num_envs), wanted)

    def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """One step of all copies with group -> `[E, n, ...]`. The time step is the true one, even the last."""
        state, ts = self.env.step_many(jax.random.split(key, self.num_envs), state, actions)
        chex.assert_shape(ts.reward, (self.num_envs, self.env.num_agents))
        chex.assert_tree_shape_prefix(ts.obs, (self.num_envs,))
        chex.assert_type([ts.terminated, ts.truncated], bool)
        return state, ts

    def restart_if_over(self, key: Array, state: State, ts: TimeStep) -> tuple[State, dict[str, Array]]:
        """State and observations to go on from: the given ones, or fresh ones after the last step of an episode."""
        if self.env.ends_early:
            return self._restart_each(key, state, ts)

        def restart() -> tuple[State, dict[str, Array]]:
            fresh, first = self.reset(key)
            return fresh, first.obs

        return jax.lax.cond(ts.truncated, restart, lambda: (state, ts.obs))

    def _restart_each(self, key: Array, state: State, ts: TimeStep) -> tuple[State, dict[str, Array]]:
        """The same where each copy has its own clock. Worlds are drawn only in steps in which an episode ends."""
        over = ts.terminated | ts.truncated

        def restart() -> tuple[State, dict[str, Array]]:
            fresh, first = self.reset(key, over)
            return where_each(over, (fresh, first.obs), (state, ts.obs))

        return jax.lax.cond(jnp.any(over), restart, lambda: (state, ts.obs))

    def observe(self, state: State) -> dict[str, Array]:
        """Group -> `[E, n, obs_dim]`."""
        return jax.vmap(self.env.observe, in_axes=(self.env.state_axes,))(state)

    def with_words(self, state: State, words: Array) -> State:
        """`Env.with_words` for all copies, words `[E, N, dim_c]`."""
        axes = self.env.state_axes
        return jax.vmap(self.env.with_words, in_axes=(axes, 0), out_axes=axes)(state, words)

    def words(self, state: State) -> Array:
        """`[E, N, dim_c]`."""
        return jax.vmap(self.env.words, in_axes=(self.env.state_axes,))(state)

    def unshared(self, state: State) -> State:
        """The state with an axis `[E]` on every array, even on what all copies share."""

        def spread(axis: int | None, x: Array) -> Array:
            return x if axis == 0 else jnp.broadcast_to(x, (self.num_envs, *x.shape))

        return map_axes(spread, self.env.state_axes, state)

    def places(self, state: State) -> Array:
        """`[E, B, 2]` of the scene's bodies."""
        return jax.vmap(self.env.places, in_axes=(self.env.state_axes,))(state)

    def destinations(self, state: State) -> Array:
        """`[E, N, 2]`."""
        return jax.vmap(self.env.destinations, in_axes=(self.env.state_axes,))(state)

    def positions(self, state: State) -> Array:
        """`[E, N, 2]`."""
        return jax.vmap(self.env.positions, in_axes=(self.env.state_axes,))(state)

    def world_state(self, state: State) -> Array:
        """`[E, S]`."""
        return jax.vmap(self.env.world_state, in_axes=(self.env.state_axes,))(state)

    def goals(self, state: State) -> Array:
        """`[E, N]`."""
        return jax.vmap(self.env.goals, in_axes=(self.env.state_axes,))(state)

    def shared_key(self, state: State) -> Array:
        """`[E]`."""
        return jax.vmap(self.env.shared_key, in_axes=(self.env.state_axes,))(state)

    def outcome(self, state: State) -> dict[str, Array]:
        """`success` `[E, T]` of T teams, and `distance` `[E]`."""
        return jax.vmap(self.env.outcome, in_axes=(self.env.state_axes,))(state)
