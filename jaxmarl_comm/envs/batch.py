"""Many copies of one environment, and how an ended episode becomes a new one."""

from __future__ import annotations

from dataclasses import dataclass

import jax

from jaxmarl_comm.envs.base import Array, Env, State, TimeStep


@dataclass(frozen=True)
class Batch:
    """`num_envs` copies of an environment of fixed episode length, running in lockstep.

    All copies share one clock, a scalar: so "is the episode over?" is a real branch, and fresh worlds are drawn
    once per episode instead of at every step. (Under a `vmap` over seeds, keep the clock unbatched:
    `Env.state_axes` says how.)
    """

    env: Env
    num_envs: int

    def __post_init__(self) -> None:
        if self.env.ends_early:
            raise ValueError(f"{self.env.name} can end early with these arguments, which a lockstep batch cannot do")

    @property
    def time_step_axes(self) -> TimeStep:
        return TimeStep(obs=0, reward=0, terminated=None, truncated=None)  # type: ignore[arg-type]

    def reset(self, key: Array) -> tuple[State, TimeStep]:
        """Fresh episodes everywhere; every array but clock and flags gains a leading axis `[E]`."""
        keys = jax.random.split(key, self.num_envs)
        return jax.vmap(self.env.reset, out_axes=(self.env.state_axes, self.time_step_axes))(keys)

    def step(self, key: Array, state: State, actions: dict[str, Array]) -> tuple[State, TimeStep]:
        """One step of all copies with group -> `[E, n, ...]`. The time step is the true one, even the last."""
        keys = jax.random.split(key, self.num_envs)
        axes = self.env.state_axes
        step = jax.vmap(self.env.step, in_axes=(0, axes, 0), out_axes=(axes, self.time_step_axes))
        return step(keys, state, actions)

    def restart_if_over(self, key: Array, state: State, ts: TimeStep) -> tuple[State, dict[str, Array]]:
        """State and observations to go on from: the given ones, or fresh ones after the last step of an episode."""

        def restart() -> tuple[State, dict[str, Array]]:
            fresh, first = self.reset(key)
            return fresh, first.obs

        return jax.lax.cond(ts.truncated, restart, lambda: (state, ts.obs))

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

    def goals(self, state: State) -> Array:
        """`[E, N]`."""
        return jax.vmap(self.env.goals, in_axes=(self.env.state_axes,))(state)

    def outcome(self, state: State) -> dict[str, Array]:
        """Each `[E]`."""
        return jax.vmap(self.env.outcome, in_axes=(self.env.state_axes,))(state)
