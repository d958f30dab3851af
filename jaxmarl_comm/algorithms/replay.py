"""Recorded steps to learn from again and again, in arrays of fixed size.

What is kept are *windows*: rows of steps that follow each other, the last one what came of the step before it. Where
episodes have a fixed length, a window is an episode, and the true last observation is its last row: observations are
kept once, and no row follows from another episode's. Where episodes may end early, each step is a window of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp

from jaxmarl_comm.algorithms import RUNS
from jaxmarl_comm.algorithms.rollout import Trajectory
from jaxmarl_comm.comm.channel import Circumstances
from jaxmarl_comm.trees import environments_first, where_each

Array = jax.Array


class Moment(NamedTuple):
    """What a team goes by at one step or at many: obs: group -> `[..., n, obs_dim]`; circumstances: see channel.py."""

    obs: dict[str, Array]
    circumstances: Circumstances


class Windows(NamedTuple):
    """W windows of L steps.

    moments: of `[W, L + 1, ...]`, the last one what followed. deeds: group -> `[W, L, n, ...]`, what agents did.
    rewards: `[W, L, N]`, of each agent. terminated: `[W, L]` bool: nothing follows. The clock terminates nothing.
    """

    moments: Moment
    deeds: dict[str, Array]
    rewards: Array
    terminated: Array


def episodes(traj: Trajectory, deeds: dict[str, Array]) -> Windows:
    """One of each environment, of a rollout that began and ended with episodes of fixed length.

    traj: its `at_end` is the Moment at the true end. deeds: group -> `[T, E, n, ...]`.
    """
    began = Moment(traj.obs, traj.circumstances)
    moments = jax.tree.map(lambda x, end: jnp.concatenate([x, end[-1:]]), began, traj.at_end)
    return Windows(*environments_first((moments, deeds, traj.rewards, traj.terminated)))


def single_steps(traj: Trajectory, deeds: dict[str, Array], last: Moment) -> Windows:
    """Each step of each environment by itself. last: the Moment `[E, ...]` after the rollout."""
    began = Moment(traj.obs, traj.circumstances)
    goes_on = jax.tree.map(lambda x, end: jnp.concatenate([x[1:], end[None]]), began, last)
    moments, end, goes_on, deeds, rewards, terminated, truncated = jax.tree.map(
        lambda x: x.reshape(-1, *x.shape[2:]),
        (began, traj.at_end, goes_on, deeds, traj.rewards, traj.terminated, traj.truncated),
    )
    followed = where_each(truncated, end, goes_on)
    alone = jax.tree.map(lambda x: x[:, None], (deeds, rewards, terminated))
    return Windows(jax.tree.map(lambda *x: jnp.stack(x, axis=1), moments, followed), *alone)


def shape_of_windows(step: Windows, length: int, single: bool) -> Windows:
    """Of a rollout of `length` steps of which `step` is one, `[E, ...]`: of episodes, or (single) of single steps."""

    def repeated(x: Array, following: int) -> jax.ShapeDtypeStruct:
        windows, rows = (length * x.shape[0], 1) if single else (x.shape[0], length)
        return jax.ShapeDtypeStruct((windows, rows + following, *x.shape[1:]), x.dtype)

    moments = jax.tree.map(lambda x: repeated(x, 1), step.moments)
    return Windows(moments, *jax.tree.map(lambda x: repeated(x, 0), tuple(step)[1:]))


class Pool(NamedTuple):
    """What is drawn from. kept: of one, or, on an axis in front, of all on the axis of RUNS.

    owners: `[sharers]`, whose part of that is drawn from: the first `number` `[]` of these.
    """

    kept: Windows
    owners: Array | None = None
    number: Array | int = 1


@dataclass(frozen=True)
class Replay:
    """Pure functions of the kept windows, a Windows with an axis of `slots` in front, each as large as one rollout.

    The oldest slot is overwritten by the newest rollout: nothing wraps within one. sharers: neighbours on the axis of
    RUNS who draw from what all of them keep.
    """

    slots: int
    sharers: int = 1

    def start(self, rollout: Windows) -> Windows:
        """Nothing yet. rollout: of which only the shape matters."""
        return jax.tree.map(lambda x: jnp.zeros((self.slots, *x.shape), x.dtype), rollout)

    def add(self, kept: Windows, rollout: Windows, count: Array) -> Windows:
        """With one more rollout. count: `[]`, how many there were before it."""
        chex.assert_trees_all_equal_shapes_and_dtypes(jax.tree.map(lambda x: x[0], kept), rollout)
        place = count % self.slots
        return jax.tree.map(lambda x, new: jax.lax.dynamic_update_index_in_dim(x, new, place, 0), kept, rollout)

    def pool(self, kept: Windows, sound: Array) -> Pool:
        """What `sample` draws from. sound: `[]` bool, whether one has not diverged, so that others may draw from it."""
        if self.sharers == 1:
            return Pool(kept)
        first = jax.lax.axis_index(RUNS) // self.sharers * self.sharers
        of_ours = jax.lax.all_gather(sound, RUNS)[first + jnp.arange(self.sharers)]
        return Pool(jax.lax.all_gather(kept, RUNS), first + jnp.argsort(~of_ours), jnp.maximum(of_ours.sum(), 1))

    def sample(
        self, pool: Pool, key: Array, count: Array, num: int, length: int, distinct: Array | None = None
    ) -> Windows:
        """`num` windows of `length` steps, uniformly with replacement, of `count` rollouts. The key is consumed.

        distinct: `[]`, how many draws there are, each then taken as often as others, or once more.
        """
        slots, windows, steps = pool.kept.terminated.shape[-3:]
        slot_key, window_key, row_key = jax.random.split(key, 3)
        slot = jax.random.randint(slot_key, (num,), 0, jnp.minimum(count, slots))
        window = jax.random.randint(window_key, (num,), 0, windows)
        row = jax.random.randint(row_key, (num,), 0, steps - length + 1)
        where = [slot, window, row]
        if pool.owners is not None:
            where.insert(0, pool.owners[jax.random.randint(jax.random.fold_in(key, 3), (num,), 0, pool.number)])
        if distinct is not None:
            where = [x[jnp.arange(num) % distinct] for x in where]
        *before, row = (x[:, None] for x in where)

        def take(x: Array, rows: int) -> Array:
            return x[(*before, row + jnp.arange(rows))]

        moments = jax.tree.map(lambda x: take(x, length + 1), pool.kept.moments)
        return Windows(moments, *jax.tree.map(lambda x: take(x, length), tuple(pool.kept)[1:]))


def size_in_bytes(kept: Any) -> int:
    """Of what is kept, or of its shape."""
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(kept))
