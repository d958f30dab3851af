"""Where sides compete: whose turn it is to learn, and who is played by a policy of its own past meanwhile.

An opponent that changes as fast as oneself is hard to learn from, and what beats its newest policy may lose to an older
one. So sides may learn in turns, and meet a pool of the other's earlier policies (fictitious self-play: Heinrich et al.
2015; opponent sampling: Bansal et al. 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.nets.params import Params, by_team, together

if TYPE_CHECKING:
    from jaxmarl_comm.ppo_config import PPOConfig

Array = jax.Array


class Past(NamedTuple):
    """The newest `pool_size` policies that were kept. params: of all teams, `[K, ...]`. ever_kept: `[]`, how many."""

    params: Params
    ever_kept: Array


class Casting(NamedTuple):
    """Who plays in an iteration. policy: the parameters that all teams act by. learns: `[teams]` bool."""

    policy: Params
    learns: Array


class Turns:
    """Pure functions, closed over what is static. needed: whether anything here departs from all learning at once."""

    def __init__(self, cfg: PPOConfig, env: Env) -> None:
        self.cfg, self.env = cfg, env
        self.needed = bool(cfg.alternate_every or cfg.pool_share)

    def start(self, policy: Params) -> Any:
        """The pool before the first iteration, with nobody in it; `()` if there is none."""
        if not self.cfg.pool_share:
            return ()
        room = jax.tree.map(lambda x: jnp.broadcast_to(x, (self.cfg.pool_size, *x.shape)), policy)
        return Past(room, jnp.zeros((), jnp.int32))

    def remember(self, past: Any, policy: Params, iteration: Array) -> Any:
        """The pool with this policy in the place of the oldest one, if it is time for another."""
        if not self.cfg.pool_share:
            return past
        due, slot = iteration % self.cfg.pool_interval == 0, past.ever_kept % self.cfg.pool_size
        params = jax.tree.map(lambda kept, x: kept.at[slot].set(jnp.where(due, x, kept[slot])), past.params, policy)
        return Past(params, past.ever_kept + due)

    def cast(self, past: Any, policy: Params, iteration: Array, key: Array) -> Casting:
        """Who plays and who learns at this iteration. The key is consumed.

        One team learns, the others pause: with `alternate_every`, in turn; else a random one, with probability
        `pool_share`, and otherwise all learn. With probability `pool_share` those who pause are played by their past.
        """
        learner_key, past_key, which_key = jax.random.split(key, 3)
        teams = jnp.arange(len(self.env.team_names))
        by_past = jax.random.bernoulli(past_key, self.cfg.pool_share)
        if self.cfg.alternate_every:
            pauses = teams != iteration // self.cfg.alternate_every % len(teams)
        else:
            pauses = (teams != jax.random.randint(learner_key, (), 0, len(teams))) & by_past
        if not self.cfg.pool_share:
            return Casting(policy, ~pauses)
        which = jax.random.randint(which_key, (), 0, jnp.minimum(past.ever_kept, self.cfg.pool_size))
        old = jax.tree.map(lambda kept: kept[which], past.params)
        return Casting(self.chosen(pauses & by_past, old, policy), ~pauses)

    def chosen(self, ours: Array, one: Params, other: Params) -> Params:
        """The one's parameters for the teams where `ours` (`[teams]` bool) is true, the other's for the rest."""
        return together(of_each_team(ours, by_team(self.env, one), by_team(self.env, other)))


def of_each_team(ours: Array, one: Sequence[Any], other: Sequence[Any]) -> tuple[Any, ...]:
    """A pytree for each team: the one's where `ours` (`[teams]` bool) is true, else the other's."""
    parts = zip(ours, one, other, strict=True)
    return tuple(jax.tree.map(lambda a, b, own=own: jnp.where(own, a, b), x, y) for own, x, y in parts)
