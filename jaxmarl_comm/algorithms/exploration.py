"""How agents try things out while they learn from replay, and what critics are shown of their actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms.relaxation import relaxed
from jaxmarl_comm.algorithms.team import Decision, TeamActor
from jaxmarl_comm.envs.base import WORD

if TYPE_CHECKING:
    from jaxmarl_comm.offpolicy_config import OffPolicyConfig

Array = jax.Array
ByGroup = dict[str, Array]
Parts = dict[str, dict[str, Array]]
"""Group -> factor -> `[..., n, size]`."""
Draw = Callable[[Array, tuple[int, ...]], Array]


class Tried(NamedTuple):
    """What agents do. chosen: group -> factor -> `[E, n]` index or `[E, n, size]` numbers. noise: for the next step.

    vectors: what critics are shown of the factors, if that is not what was chosen: of soft choices. Else empty.
    """

    chosen: Parts
    noise: Parts
    vectors: Parts


class Explorer:
    """Pure functions, closed over what is static."""

    def __init__(self, cfg: OffPolicyConfig, actor: TeamActor) -> None:
        self.cfg, self.actor, self.env = cfg, actor, actor.env
        self.remembers = cfg.exploration == "ou" and actor.env.continuous_actions

    def start(self, num_envs: int) -> Parts:
        """The noise at the start of an episode: of the Ornstein-Uhlenbeck process, which alone has a memory."""
        if not self.remembers:
            return {}
        return {
            group: {name: jnp.zeros((num_envs, len(where), size)) for name, size in self.actor.factors[group].items()}
            for group, where in self.env.groups.items()
        }

    def explore(
        self, key: Array, decision: Decision, noise: Parts, strength: Array, temperature: Array, blindly: Array
    ) -> Tried:
        """Actions to learn from. strength: of the noise. blindly: `[]` bool, all is as likely. The key is consumed."""
        if self.env.continuous_actions:
            return self._nearby(key, decision, noise, strength, blindly)
        chosen, vectors = {}, {}
        for group, draws in self._draws(key, decision, jax.random.gumbel).items():
            logits = {n: f.logits * ~blindly for n, f in decision.distributions[group].factors.items()}
            chosen[group] = {n: jnp.argmax(x + draws[n], axis=-1) for n, x in logits.items()}
            if self.cfg.relaxation == "soft":
                vectors[group] = {n: relaxed("soft", x, draws[n], temperature) for n, x in logits.items()}
        return Tried(chosen, {}, vectors)

    def _nearby(self, key: Array, decision: Decision, noise: Parts, strength: Array, blindly: Array) -> Tried:
        """Continuous actions, off what the networks say; in `[0, 1]`."""
        cfg = self.cfg
        noise_key, blind_key = jax.random.split(key)
        drawn = self._draws(noise_key, decision, jax.random.normal)
        if self.remembers:
            # One step of dx = theta (mean - x) dt + sigma dW.
            noise = jax.tree.map(
                lambda x, w: x + cfg.ou_theta * (cfg.mean_noise - x) * cfg.ou_dt + strength * cfg.ou_dt**0.5 * w,
                noise,
                drawn,
            )
        off = noise if self.remembers else jax.tree.map(lambda w: cfg.mean_noise + strength * w, drawn)
        meant = {g: d.mode() for g, d in decision.distributions.items()}
        anything = self._draws(blind_key, decision, jax.random.uniform)
        chosen = jax.tree.map(
            lambda mu, x, any_: jnp.where(blindly, any_, jnp.clip(mu + x, 0.0, 1.0)), meant, off, anything
        )
        return Tried(chosen, noise, {})

    def deeds(self, key: Array, decision: Decision, temperature: Array, smoothing: float = 0.0) -> ByGroup:
        """group -> `[..., n, dim]`: what a team would do, as critics are shown it, differentiable.

        Continuous actions as they are, or (smoothing) with clipped noise (Fujimoto et al. 2018); of discrete ones a
        relaxed draw. The key is consumed.
        """
        if not self.env.continuous_actions:
            draws = self._draws(key, decision, jax.random.gumbel)
            parts = {
                group: {
                    n: relaxed(self.cfg.relaxation, f.logits, draws[group][n], temperature)
                    for n, f in d.factors.items()
                }
                for group, d in decision.distributions.items()
            }
            return self.vectors(parts, decision)
        meant = {g: d.mode() for g, d in decision.distributions.items()}
        if smoothing:
            limit, drawn = self.cfg.target_noise_clip, self._draws(key, decision, jax.random.normal)
            meant = jax.tree.map(
                lambda mu, w: jnp.clip(mu + jnp.clip(smoothing * w, -limit, limit), 0.0, 1.0), meant, drawn
            )
        return self.vectors(meant, decision)

    def vectors(self, parts: Parts, decision: Decision) -> ByGroup:
        """group -> `[..., n, dim]`, of the factors that are chosen, of words, and of what is always the same."""
        said, found = self.env.split(decision.said, axis=-2), {}
        for group, space in self.env.action_spaces.items():
            of_group = dict(parts[group])
            if self.actor.vocabulary[group]:
                of_group[WORD] = said[group]
            shape = decision.distributions[group].batch_shape
            idle = {
                name: jnp.broadcast_to(jnp.eye(1, size)[0] * (not space.continuous), (*shape, size))
                for name, size in space.factors
            }
            found[group] = jnp.concatenate([of_group.get(name, idle[name]) for name, _ in space.factors], axis=-1)
        return found

    def _draws(self, key: Array, decision: Decision, draw: Draw) -> Parts:
        """Independent draws of the shape of each factor's vector. The key is consumed."""
        found: Parts = {}
        for group, group_key in zip(self.env.groups, jax.random.split(key, len(self.env.groups)), strict=True):
            shape, sizes = decision.distributions[group].batch_shape, self.actor.factors[group]
            keys = jax.random.split(group_key, max(len(sizes), 1))
            found[group] = {
                name: draw(factor_key, (*shape, size))
                for (name, size), factor_key in zip(sizes.items(), keys, strict=False)
            }
        return found
