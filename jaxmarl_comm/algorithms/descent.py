"""Steps of Adam that each team takes for itself: nothing of one team's gradients, norms or stops moves another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.nets.params import Params, by_team, together

Array = jax.Array
OptStates = tuple[Any, ...]

ADAM_EPS = 1e-5


class Descent:
    """Pure functions, closed over what is static.

    max_grad_norm: cap on the norm of a team's gradients. target_kl: approx_kl beyond which a team stops, or None.
    """

    def __init__(self, env: Env, max_grad_norm: float, target_kl: float | None) -> None:
        self.env, self.target_kl = env, target_kl
        self.optimiser = optax.chain(optax.clip_by_global_norm(max_grad_norm), optax.scale_by_adam(eps=ADAM_EPS))

    def start(self, params: Params) -> OptStates:
        """The state of each team's optimiser before its first step."""
        return tuple(map(self.optimiser.init, by_team(self.env, params)))

    def step(
        self, grads: Params, opt_states: OptStates, params: Params, lr: Array, stopped: Array
    ) -> tuple[Params, OptStates]:
        """(parameters, optimiser states) after a step. lr: `[teams]`. stopped: `[teams]` bool, who stays as it is."""
        moved = []
        parts = zip(by_team(self.env, grads), opt_states, by_team(self.env, params), lr, stopped, strict=True)
        for grad, before, own, rate, stop in parts:
            direction, after = self.optimiser.update(grad, before)
            new = jax.tree.map(lambda p, d, rate=rate: p - rate * d, own, direction), after
            if self.target_kl is not None:
                new = jax.tree.map(lambda a, b, stop=stop: jnp.where(stop, a, b), (own, before), new)
            moved.append(new)
        return together([own for own, _ in moved]), tuple(after for _, after in moved)

    def norms(self, grads: Params) -> Array:
        """`[teams]`, of each team's part of the gradients."""
        return jnp.stack([optax.tree.norm(part) for part in by_team(self.env, grads)])

    def whether_to_stop(self, stopped: Array, metrics: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """`[teams]` bool: whose remaining updates are skipped, now that this is known of a minibatch; what to tell."""
        if self.target_kl is None:
            return stopped, {}
        kl = jnp.stack([metrics[name] for name in self.env.per_team("approx_kl")])
        stopped = stopped | (kl > self.target_kl)
        return stopped, {"skipped_updates": stopped.astype(float)}
