"""What all MPE tasks do alike: draw a start, decode actions, keep the clock. A task adds its cast, eyes and rewards."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxmarl_comm.envs import ENVS, env_class
from jaxmarl_comm.envs.base import ActionSpace, Array, Env, TimeStep
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.envs.mpe.world import World, WorldState, length, move, norm
from jaxmarl_comm.envs.scene import AGENT, LANDMARK, OBSTACLE, Shape
from jaxmarl_comm.suggest import shown

NUM_MOVES = 5  # stay, left, right, down, up
GOOD, ADVERSARY = 0, 1  # teams
MOST = 1_000  # agents, or landmarks, of a kind: the work grows with the square of their number


@dataclass(frozen=True, kw_only=True)
class MPETask(Env):
    """An MPE task, equal to mpe2's of the same name and arguments (the tests prove it).

    A task defines `name`, `agents`, `world`, `observe`, `rewards` and, where it draws goals, `num_choices`.
    """

    @cached_property
    @abstractmethod
    def world(self) -> World:
        """The cast: sizes, who moves, who collides, who speaks."""

    @abstractmethod
    def rewards(self, state: WorldState) -> Array:
        """`[N]` rewards for having arrived in this state."""

    @property
    def num_choices(self) -> tuple[int, ...]:
        """Number of options of each random choice that a reset draws (goals, keys)."""
        return ()

    @property
    def reference(self) -> str | None:
        return "mpe2" if self.name in ENVS and isinstance(self, env_class(self.name)) else None

    def make_reference(self) -> Any:
        return make_mpe2(self)

    def reference_positions(self, original: Any) -> np.ndarray:
        return np.array([agent.state.p_pos for agent in original.unwrapped.world.agents], np.float32)

    @property
    def landmark_range(self) -> float:
        """A reset draws landmarks in [-range, range)²."""
        return 1.0

    @cached_property
    def action_spaces(self) -> dict[str, ActionSpace]:
        return {group: self._action_space(positions[0]) for group, positions in self.groups.items()}

    def _action_space(self, agent: int) -> ActionSpace:
        body = self.world.agents[agent]
        factors = (("move", NUM_MOVES),) * body.movable + (("say", self.world.dim_c),) * body.speaks
        return ActionSpace(factors, self.continuous_actions)

    @cached_property
    def obs_dims(self) -> dict[str, int]:
        state = jax.eval_shape(self.draw, jax.random.key(0))
        obs = jax.eval_shape(self.observe, state)
        return {group: obs[group].shape[-1] for group in self.groups}

    @property
    def state_axes(self) -> WorldState:
        return WorldState(pos=0, vel=0, landmarks=0, say=0, choice=0, t=0 if self.ends_early else None)  # type: ignore[arg-type]

    def reset(self, key: Array) -> tuple[WorldState, TimeStep]:
        state = self.draw(key)
        return state, self._time_step(state, jnp.zeros_like(state.pos[:, 0]))

    def step(self, key: Array, state: WorldState, actions: dict[str, Array]) -> tuple[WorldState, TimeStep]:
        """See `Env.step`.

        Under `jit`, where numbers cannot be checked, vectors are clipped to [0, 1], as mpe2's `parallel_env` does, and
        an index that is out of range counts modulo the number of actions. NaN stays NaN, so that it is seen.
        """
        self.check_actions(actions)
        actions = self._in_range(actions)
        return self._arrive(key, move(self.world, state, self._forces(actions)), actions)

    def step_many(self, keys: Array, state: WorldState, actions: dict[str, Array]) -> tuple[WorldState, TimeStep]:
        """Several times faster on a CPU than `jax.vmap`: see `move`."""
        self.check_actions(actions, keys.shape[:1])
        actions = self._in_range(actions)
        force = jnp.moveaxis(jax.vmap(self._forces)(actions), 0, -1)
        there = {name: jnp.moveaxis(getattr(state, name), 0, -1) for name in ("pos", "vel", "landmarks")}
        moved = move(self.world, state._replace(**there), force)
        pos, vel = (jnp.moveaxis(x, -1, 0) for x in (moved.pos, moved.vel))
        axes = self.state_axes
        arrive = jax.vmap(self._arrive, in_axes=(0, axes, 0), out_axes=(axes, self.time_step_axes))
        return arrive(keys, state._replace(pos=pos, vel=vel), actions)

    def _arrive(self, key: Array, state: WorldState, actions: dict[str, Array]) -> tuple[WorldState, TimeStep]:
        """What follows once everyone has moved. The key is for tasks in which chance plays a part."""
        state = state._replace(say=self._said(actions), t=state.t + 1)
        return state, self._time_step(state, self.rewards(state))

    def draw(self, key: Array) -> WorldState:
        """A random start: agents uniform in [-1, 1)², at rest, nothing said. The key is consumed."""
        choice_key, agent_key, landmark_key = jax.random.split(key, 3)
        num_agents, num_landmarks = len(self.world.agents), len(self.world.landmarks)
        pos = uniform(agent_key, (num_agents, 2), 1.0)
        return WorldState(
            pos=pos,
            vel=jnp.zeros_like(pos),
            landmarks=uniform(landmark_key, (num_landmarks, 2), self.landmark_range),
            say=jnp.zeros((num_agents, self.world.dim_c), pos.dtype),
            choice=jax.random.randint(choice_key, (len(self.num_choices),), 0, np.array(self.num_choices, int)),
            t=jnp.zeros((), jnp.int32),
        )

    def solved(self, state: WorldState) -> Array:
        """`[]` bool: whether an episode that can end early ends in this state."""
        return self.outcome(state)["success"][GOOD]

    def positions(self, state: WorldState) -> Array:
        return state.pos

    @property
    def scene(self) -> tuple[Shape, ...]:
        agents = zip(self.agents, self.world.agents, strict=True)
        landmarks = enumerate(self.world.landmarks)
        return (
            *(Shape(AGENT, agent, body.size) for agent, body in agents),
            *(Shape(OBSTACLE if body.collides else LANDMARK, str(k), body.size) for k, body in landmarks),
        )

    def places(self, state: WorldState) -> Array:
        return jnp.concatenate([state.pos, state.landmarks])

    def world_state(self, state: WorldState) -> Array:
        """Positions and velocities of all bodies, what was said, and every random choice as a one-hot vector."""
        choices = [jax.nn.one_hot(state.choice[k], size) for k, size in enumerate(self.num_choices)]
        parts = [state.pos, state.vel, state.landmarks, state.say, *choices]
        return jnp.concatenate([part.ravel() for part in parts])

    def words(self, state: WorldState) -> Array:
        return state.say

    def with_words(self, state: WorldState, words: Array) -> WorldState:
        return state._replace(say=words)

    def render(self, state: WorldState) -> np.ndarray:
        """`[480, 480, 3]` uint8."""
        from jaxmarl_comm.envs.mpe.picture import draw  # matplotlib takes long to import

        return draw(self.world, state, f"{self.name}, step {int(state.t)}", self.agents, self.teams)

    def _time_step(self, state: WorldState, reward: Array) -> TimeStep:
        truncated = state.t >= self.max_cycles
        terminated = jnp.zeros_like(truncated)
        if self.ends_early:
            # A start that happens to be a success is played on; a success at the last step counts as truncation.
            terminated = self.solved(state) & (state.t > 0) & ~truncated
        return TimeStep(self.observe(state), reward, terminated, truncated)

    def _forces(self, actions: dict[str, Array]) -> Array:
        """`[A, 2]`, in units of mass × length / time²."""
        directions = {group: self._direction(group, action) for group, action in actions.items()}
        accel = np.array([body.accel for body in self.world.agents])
        return self.join(directions, axis=0) * accel[:, None]

    def _direction(self, group: str, action: Array) -> Array:
        """`[n, 2]`: the direction that a group's actions push in, 0 for those that cannot move."""
        moves = self.action_spaces[group].split(action).get("move")
        if moves is None:
            return jnp.zeros((len(self.groups[group]), 2))
        if self.continuous_actions:
            # Subtracted in the action's own precision, as mpe2 does.
            return jnp.stack([moves[:, 2] - moves[:, 1], moves[:, 4] - moves[:, 3]], axis=-1)
        towards = [(moves == up).astype(float) - (moves == down) for down, up in ((1, 2), (3, 4))]
        return jnp.stack(towards, axis=-1)

    def _said(self, actions: dict[str, Array]) -> Array:
        """`[A, dim_c]`: the words of this step."""
        said = {}
        for group, action in actions.items():
            say = self.action_spaces[group].split(action).get("say")
            if say is None:
                said[group] = jnp.zeros((len(self.groups[group]), self.world.dim_c))
            else:
                said[group] = say if self.continuous_actions else one_hot(say, self.world.dim_c)
        return self.join(said, axis=0).astype(float)

    def _in_range(self, actions: dict[str, Array]) -> dict[str, Array]:
        """Vectors clipped to [0, 1]; indices as they are, for `ActionSpace.split` takes them modulo their number."""
        return {group: jnp.clip(x, 0, 1) for group, x in actions.items()} if self.continuous_actions else actions


def uniform(key: Array, shape: tuple[int, ...], bound: float) -> Array:
    """Uniform numbers in [-bound, bound), in the default float type."""
    return jax.random.uniform(key, shape, float, -bound, bound)


def one_hot(index: Array, size: int) -> Array:
    """`[...]` -> `[..., size]`, in the default float type."""
    return (index[..., None] == np.arange(size)).astype(float)


def flat(vectors: Array) -> Array:
    """`[..., k, 2]` -> `[..., 2k]`."""
    return vectors.reshape(*vectors.shape[:-2], -1)


def others(count: int) -> np.ndarray:
    """`[count, count - 1]`: for each agent the positions of the others, in order."""
    everyone = np.arange(count)
    return np.stack([np.delete(everyone, k) for k in everyone])


def touching(pos: Array, size: Any, other_pos: Array, other_size: Any) -> Array:
    """`[n, 2]`, `[m, 2]` -> `[n, m]` bool: whose distance is less than the sum of their radii (scalars or arrays)."""
    reach = np.reshape(size, (-1, 1)) + np.reshape(other_size, (1, -1))
    return distances(pos, other_pos) < reach


def distances(pos: Array, other_pos: Array) -> Array:
    """`[n, 2]`, `[m, 2]` -> `[n, m]`."""
    dx, dy = (pos[:, None, k] - other_pos[None, :, k] for k in (0, 1))  # apart, as in `contact_forces`
    return length(dx, dy)


def nearest_first(values: Array, distances: Array) -> Array:
    """`[n, k, d]` sorted along k by `distances` `[n, k]`; equally distant ones keep their order.

    By counting how many are nearer: several times faster in XLA than sorting many short rows.
    """
    slots = np.arange(distances.shape[-1])
    mine, other = distances[..., :, None], distances[..., None, :]
    rank = jnp.sum((other < mine) | ((other == mine) & (slots < slots[:, None])), axis=-1)
    order = jnp.argmax(rank[..., None, :] == slots[:, None], axis=-1)
    return jnp.take_along_axis(values, order[..., None], axis=-2)


def visible(values: Array, offsets: Array, slots: int | None) -> Array:
    """What each of n agents sees of the k entities at `offsets` `[n, k, 2]` from it: `[n, k, d]` -> `[n, slots, d]`.

    slots: that many nearest ones, nearest first, with zeros where there are fewer; None: all of them, as they are.
    """
    if slots is None:
        return values
    seen = nearest_first(values, norm(offsets))[..., :slots, :]
    return jnp.pad(seen, ((0, 0), (0, slots - seen.shape[-2]), (0, 0)))


def outside(pos: Array) -> Array:
    """`[..., 2]` -> `[...]`: how much leaving the arena costs, from 0 within 0.9 to 10 per axis far outside."""
    x = jnp.abs(pos)
    far = jnp.exp(jnp.minimum(2 * x - 2, np.log(10.0)))  # the exponent is capped, so that nothing overflows
    return jnp.sum(jnp.where(x < 0.9, 0.0, jnp.where(x < 1.0, (x - 0.9) * 10, far)), axis=-1)


def check_neighbors(agents: int | None, landmarks: int | None) -> None:
    """Raise ValueError unless the numbers of visible neighbours are positive (or None: all)."""
    for kind, count in {"agent": agents, "landmark": landmarks}.items():
        if count is not None and not 1 <= count <= MOST:
            raise ValueError(
                f"num_{kind}_neighbors is {shown(count)}, but must be at least 1 and at most {MOST}, or None to see all"
            )


def check_stage(curriculum: bool, stage: int, num_stages: int) -> None:
    """Raise ValueError unless the curriculum has this stage."""
    if not 0 <= stage < num_stages:
        raise ValueError(f"curriculum_stage is {shown(stage)}, but must be 0 to {num_stages - 1}")
    if stage and not curriculum:
        raise ValueError(f"curriculum_stage is {stage}, but curriculum is False")


def check_counts(at_least: int, **counts: int) -> None:
    """Raise ValueError unless each of these numbers is large enough, and not beyond what a world can hold."""
    for argument, count in counts.items():
        if not at_least <= count <= MOST:
            raise ValueError(f"{argument} is {shown(count)}, but must be at least {at_least} and at most {MOST}")


def check_ratio(local_ratio: float) -> None:
    """Raise ValueError unless the ratio is a share."""
    if not 0 <= local_ratio <= 1:
        raise ValueError(f"local_ratio is {shown(local_ratio)}, but must lie between 0 and 1")
