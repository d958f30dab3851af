"""The physics that all MPE tasks share, as in mpe2 1.1.1 (`mpe2/_mpe_utils/core.py`).

Which entities move, collide or speak is static, so a task without collisions compiles to no loop over pairs.
Gradients are finite everywhere: what must not be divided by is masked before the division, not after it.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Array = jax.Array

DT = 0.1  # seconds per step
DAMPING = 0.25  # share of the velocity lost per step
CONTACT_FORCE = 100.0
CONTACT_MARGIN = 1e-3  # how soft the contact is


class Body(NamedTuple):
    """What never changes about one agent or landmark.

    size: radius. movable, collides, speaks: whether it does.
    accel: force of a full move action. max_speed: cap on the speed, or None. mass: how hard it is to push.
    """

    size: float
    movable: bool = False
    collides: bool = False
    speaks: bool = False
    accel: float = 5.0
    max_speed: float | None = None
    mass: float = 1.0


class World(NamedTuple):
    """The cast of a task. dim_c: number of words (length of a message said aloud)."""

    agents: tuple[Body, ...]
    landmarks: tuple[Body, ...]
    dim_c: int = 0


class WorldState(NamedTuple):
    """Everything that changes. For A agents and L landmarks:

    pos, vel: `[A, 2]`. landmarks: `[L, 2]` positions. say: `[A, dim_c]` words said in the last step.
    choice: `[k]` int, the task's random choices (goals, keys). t: `[]` int, steps since the reset.
    """

    pos: Array
    vel: Array
    landmarks: Array
    say: Array
    choice: Array
    t: Array


def norm(x: Array) -> Array:
    """Euclidean length along the last axis, with gradient 0 (not NaN) where it is 0.

    Coordinate by coordinate, because XLA's loops over an inner axis of length 2 are several times slower.
    """
    coordinates = (x[..., k] for k in range(x.shape[-1]))
    return _safe_root(sum((c * c for c in coordinates), jnp.zeros(x.shape[:-1], x.dtype)))


def length(x: Array, y: Array) -> Array:
    """`norm` of vectors whose coordinates are given apart."""
    return _safe_root(x * x + y * y)


def _safe_root(squared: Array) -> Array:
    safe = jnp.where(squared > 0, squared, 1.0)
    return jnp.where(squared > 0, jnp.sqrt(safe), 0.0)


def contact_forces(world: World, state: WorldState) -> Array:
    """`[A, 2]` forces between colliding entities at the present positions; trailing axes are many environments.

    A pair at distance r pushes apart with 100 * softplus of its overlap (no cut-off), one just as hard as the other: so
    each pair is computed once. Two bodies at exactly the same place have no direction to be pushed in: the force is 0
    here, where mpe2 gives NaN.
    """
    bodies = world.agents + world.landmarks
    colliders = [k for k, body in enumerate(bodies) if body.collides]
    movers = [k for k in colliders if bodies[k].movable]
    pairs = [(a, b) for a, b in combinations(colliders, 2) if bodies[a].movable or bodies[b].movable]
    one, other = np.array(pairs).T
    many = state.pos.ndim - 2

    pos = jnp.concatenate([state.pos, state.landmarks])
    # x and y apart: XLA's loops over an inner axis of length 2 are several times slower.
    dx, dy = (pos[one, k] - pos[other, k] for k in (0, 1))
    distance = length(dx, dy)
    reach = _trailing(np.array([bodies[a].size + bodies[b].size for a, b in pairs]), many)
    overlap = CONTACT_MARGIN * jnp.logaddexp(0.0, (reach - distance) / CONTACT_MARGIN)
    strength = CONTACT_FORCE * overlap / jnp.where(distance > 0, distance, 1.0)

    number = {pair: k for k, pair in enumerate(pairs)}
    mine = np.array([[number[min(k, j), max(k, j)] for j in colliders if j != k] for k in movers])
    sign = _trailing(np.array([[1.0 if k < j else -1.0 for j in colliders if j != k] for k in movers]), many)
    force = jnp.stack([jnp.sum((strength * offset)[mine] * sign, axis=1) for offset in (dx, dy)], axis=1)
    if movers == list(range(len(world.agents))):
        return force
    return jnp.zeros_like(state.pos).at[np.array(movers)].set(force)


def move(world: World, state: WorldState, force: Array) -> WorldState:
    """One step of physics under the agents' own forces `[A, 2]` (0 for those that cannot move).

    Positions move with the *old* velocity; then the velocity is damped, pushed and capped.

    Many environments may be moved at once, with their axis last: positions, velocities and forces `[A, 2, E]`,
    landmarks `[L, 2, E]`. Then every loop runs over environments, which processors do several times faster than the
    short loops over agents that `vmap` makes.
    """
    if sum(body.collides for body in world.agents + world.landmarks) > 1:
        force = force + contact_forces(world, state)
    mass = np.array([body.mass for body in world.agents])
    vel = state.vel * (1 - DAMPING) + force / _trailing(mass, force.ndim - 1) * DT
    if any(body.max_speed is not None for body in world.agents):
        vel = cap_speed(vel, np.array([np.inf if body.max_speed is None else body.max_speed for body in world.agents]))
    return state._replace(pos=state.pos + DT * state.vel, vel=vel)


def cap_speed(vel: Array, max_speed: np.ndarray) -> Array:
    """Scale velocities `[A, 2]` (and trailing axes) down to the agents' top speeds `[A]` (inf: no cap)."""
    speed = length(vel[:, 0], vel[:, 1])
    top = _trailing(max_speed, speed.ndim - 1)
    too_fast = speed > top
    finite = np.where(np.isfinite(top), top, 0.0)
    capped = vel / jnp.where(too_fast, speed, 1.0)[:, None] * finite[:, None]
    return jnp.where(too_fast[:, None], capped, vel)


def _trailing(x: np.ndarray, count: int) -> np.ndarray:
    """With so many axes of length 1 at the end."""
    return x.reshape(*x.shape, *(1,) * count)
