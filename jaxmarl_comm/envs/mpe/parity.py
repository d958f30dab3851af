"""How far these environments are from mpe2: the same starts and actions through both, and the largest differences.

mpe2 plays first and everything is recorded, in float64. Then this project's step runs over the recording: either from
mpe2's state before every step (single steps), or from its first state alone (episodes). Used by the tests and by
`scripts/parity.py`. Needs mpe2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.envs import env_class
from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.collect_treasure import NOTHING, CollectTreasure
from jaxmarl_comm.envs.mpe.original import make_mpe2
from jaxmarl_comm.envs.mpe.simple_formation import SimpleFormation
from jaxmarl_comm.envs.mpe.simple_line import SimpleLine
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import WorldState

FLOAT32_TOLERANCE = 1e-5
FLOAT64_TOLERANCE = 1e-9
CROWDS = (0.25, 0.6, 1.1, 1.6)  # starts with everything in [-r, r)²
EDGE_NUDGE, EDGE_JUMP = 1e-6, 1e-4  # see `at_edge`

ARGUMENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "simple_v3": ({}, {"max_cycles": 3}),
    "simple_adversary_v3": (
        {},
        {"N": 3, "num_agent_neighbors": 2, "num_landmark_neighbors": 1},
        {"N": 1, "num_agent_neighbors": 3, "num_landmark_neighbors": 2},
    ),
    "simple_crypto_v3": ({},),
    "simple_push_v3": ({},),
    "simple_reference_v3": ({}, {"local_ratio": 0.2, "max_cycles": 40}),
    "simple_speaker_listener_v4": ({},),
    "simple_spread_v3": (
        {},
        {"N": 1, "local_ratio": 1.0},
        {"N": 5, "local_ratio": 0.2, "curriculum": True, "curriculum_stage": 1},
        {"N": 2, "terminate_on_success": True, "curriculum": True},
        {"N": 4, "num_agent_neighbors": 2, "num_landmark_neighbors": 3},
        {"N": 3, "num_agent_neighbors": 4, "num_landmark_neighbors": 5},
    ),
    "simple_tag_v3": (
        {},
        {"num_good": 2, "curriculum": True},
        {"num_good": 2, "terminate_on_success": True, "curriculum": True, "curriculum_stage": 1},
        {"num_good": 3, "num_adversaries": 2, "num_obstacles": 0, "curriculum": True, "curriculum_stage": 2},
        {"num_good": 2, "num_agent_neighbors": 2, "num_landmark_neighbors": 1},
        {"num_good": 2, "num_agent_neighbors": 6, "num_landmark_neighbors": 3},
    ),
    "simple_world_comm_v3": (
        {},
        {"num_good": 3, "num_adversaries": 2, "num_obstacles": 0, "num_food": 1, "num_forests": 3},
        {"num_good": 1, "num_adversaries": 1, "num_obstacles": 2, "num_food": 3, "num_forests": 0},
    ),
    "simple_line_v1": ({}, {"N": 1}, {"N": 3, "terminate_on_success": True}, {"N": 7}),
    "simple_formation_v1": ({}, {"N": 1}, {"N": 3, "terminate_on_success": True}, {"N": 7}),
    "collect_treasure_v1": (
        {},
        {"num_collectors": 2, "num_deposits": 1, "num_treasures": 3},
        {"num_collectors": 4, "num_deposits": 6, "num_treasures": 1},
    ),
}


@dataclass(frozen=True)
class Case:
    """One task with one set of arguments (as sorted pairs) and one kind of actions."""

    name: str
    arguments: tuple[tuple[str, Any], ...]
    continuous: bool

    def __str__(self) -> str:
        arguments = ",".join(f"{key}={value}" for key, value in self.arguments) or "default"
        return f"{self.name} {arguments} {'continuous' if self.continuous else 'discrete'}"

    @cached_property
    def env(self) -> MPETask:
        """This project's environment; treasures reappear where the `key` of a step says, which is (places, kinds)."""
        cls: Any = ScriptedTreasures if self.name == CollectTreasure.name else env_class(self.name)
        return cls(**dict(self.arguments), continuous_actions=self.continuous)

    @cached_property
    def mpe2(self) -> Any:
        """mpe2's raw environment."""
        return make_mpe2(self.env).unwrapped


class ScriptedTreasures(CollectTreasure):
    """collect_treasure_v1 without chance: the key of a step is what it would draw."""

    def draw_treasures(self, key: Any) -> tuple[Array, Array]:
        return key


class Recording(NamedTuple):
    """E episodes of mpe2 of at most T steps, in float64.

    states: `[E, T + 1, ...]`. obs: group -> `[E, T + 1, n, d]`. actions: group -> `[E, T, n, ...]`.
    rewards: `[E, T, N]`. terminated, truncated: `[E, T]`. played: `[E, T]`, False after an early end.
    """

    states: WorldState
    obs: dict[str, np.ndarray]
    actions: dict[str, np.ndarray]
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    played: np.ndarray

    def chance(self, t: int) -> Any:
        """What stands for the random key of step t: for treasures, where mpe2 put them, and which."""
        return self.states.landmarks[:, t + 1], self.states.choice[:, t + 1, : self.states.landmarks.shape[2]]


class Difference(NamedTuple):
    """Largest differences (relative where mpe2's number is above 1), and numbers of steps:

    flags: with a wrong flag. steps: compared. edges: left out.
    """

    obs: float
    reward: float
    state: float
    flags: int
    steps: int
    edges: int = 0

    def within(self, tolerance: float) -> bool:
        return max(self.obs, self.reward, self.state) <= tolerance and self.flags == 0


Step = Callable[[Any, WorldState, dict[str, Any]], tuple[dict[str, Array], WorldState, Any]]


def cases(names: tuple[str, ...] = tuple(ARGUMENTS)) -> list[Case]:
    """All cases of these tasks."""
    return [
        Case(name, tuple(sorted(arguments.items())), continuous)
        for name in names
        for arguments in ARGUMENTS[name]
        for continuous in (False, True)
    ]


def compiled_step(env: MPETask) -> Step:
    """(chance, state, actions), all `[E, ...]` -> (observations before, state after, time step after)."""

    def step(chance: Any, state: WorldState, actions: dict[str, Array]) -> tuple[dict[str, Array], WorldState, Any]:
        return env.observe(state), *env.step(chance, state, actions)

    return jax.jit(jax.vmap(step))


def record(case: Case, steps: int = 1200, seed: int = 0) -> Recording:
    """Play episodes of that many steps in all (fewer if they end early), from all kinds of `STARTS` in turn.

    Actions are random. Same seed, same recording.
    """
    rng = np.random.default_rng(seed)
    episodes = math.ceil(steps / case.env.max_cycles)
    played = [_play(case, STARTS[k % len(STARTS)], rng, seed=k) for k in range(episodes)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *played)


def compare_steps(step: Step, recording: Recording, x64: bool) -> Difference:
    """Single steps, each from mpe2's own state. In float32, steps at an edge are left out."""
    compared = recording.played
    if not x64:
        compared = compared & ~at_edge(step, recording)
    worst = Difference(0.0, 0.0, 0.0, 0, int(compared.sum()), int((recording.played & ~compared).sum()))
    with jax.enable_x64(x64):
        for t in range(compared.shape[1]):
            state = jax.tree.map(lambda x, t=t: x[:, t], recording.states)
            found = step(recording.chance(t), state, _actions_at(recording, t))
            worst = _worse(worst, _differences(found, recording, t, compared[:, t]))
    return worst


def compare_episodes(step: Step, recording: Recording) -> Difference:
    """Whole episodes in float64, each from mpe2's first state alone."""
    played = recording.played
    worst = Difference(0.0, 0.0, 0.0, 0, int(played.sum()))
    state: Any = jax.tree.map(lambda x: x[:, 0], recording.states)
    with jax.enable_x64(True):
        for t in range(played.shape[1]):
            found = step(recording.chance(t), state, _actions_at(recording, t))
            worst = _worse(worst, _differences(found, recording, t, played[:, t]))
            state = found[1]
    return worst


def at_edge(step: Step, recording: Recording) -> np.ndarray:
    """`[E, T]` bool: steps in which moving things by 1e-6 changes what follows by more than 1e-4.

    There a strict threshold, or the direction between two bodies at almost the same place, is beyond float32.
    """
    rng = np.random.default_rng(0)
    edge = np.zeros_like(recording.played)
    with jax.enable_x64(True):
        for t in range(edge.shape[1]):
            state = jax.tree.map(lambda x, t=t: x[:, t], recording.states)
            chance, actions = recording.chance(t), _actions_at(recording, t)
            calm = jax.tree.leaves(step(chance, state, actions)[1:])
            directions = rng.choice([-1.0, 1.0], (2, *state.pos.shape))
            for nudge in EDGE_NUDGE * np.concatenate([directions, -directions]):
                nudged = jax.tree.leaves(step(chance, state._replace(pos=state.pos + nudge), actions)[1:])
                for a, b in zip(calm, nudged, strict=True):
                    jump = np.abs(np.asarray(a, float) - np.asarray(b, float)).reshape(len(edge), -1)
                    edge[:, t] |= np.max(jump, axis=1, initial=0.0) > EDGE_JUMP
    return edge


def _differences(found: Any, recording: Recording, t: int, compared: np.ndarray) -> Difference:
    """How step t of this project differs from mpe2's in the episodes to be compared `[E]`."""
    obs_before, state, ts = found

    def largest(mine: Any, theirs: Any) -> float:
        if np.shape(mine) != theirs.shape:
            raise ValueError(f"shapes differ: {np.shape(mine)} here, {theirs.shape} in mpe2")
        gap = (np.abs(np.asarray(mine, float) - theirs) / np.maximum(1.0, np.abs(theirs)))[compared]
        return float(np.max(gap, initial=0.0)) if np.all(np.isfinite(gap)) else np.inf

    obs = [largest(obs_before[group], recording.obs[group][:, t]) for group in recording.obs]
    obs += [largest(ts.obs[group], recording.obs[group][:, t + 1]) for group in recording.obs]
    states = [largest(mine, theirs[:, t + 1]) for mine, theirs in zip(state, recording.states, strict=True)]
    terminated = np.asarray(ts.terminated) != recording.terminated[:, t]
    truncated = np.asarray(ts.truncated) != recording.truncated[:, t]
    reward = largest(ts.reward, recording.rewards[:, t])
    return Difference(max(obs), reward, max(states), int(((terminated | truncated) & compared).sum()), 0)


def _worse(a: Difference, b: Difference) -> Difference:
    return a._replace(
        obs=max(a.obs, b.obs), reward=max(a.reward, b.reward), state=max(a.state, b.state), flags=a.flags + b.flags
    )


def _actions_at(recording: Recording, t: int) -> dict[str, np.ndarray]:
    return {group: actions[:, t] for group, actions in recording.actions.items()}


# mpe2's side.


def _play(case: Case, start: Callable[..., None], rng: np.random.Generator, seed: int) -> Recording:
    """One episode, without the leading axis `[E]`."""
    env, raw = case.env, case.mpe2
    raw.reset(seed=seed)
    start(env, raw, rng)
    states, obs = [read_state(env, raw)], [_observations(env, raw)]
    actions, rewards, terminated, truncated = [], [], [False], [False]
    for _ in range(env.max_cycles):
        action = _random_action(env, raw, rng)
        if not (terminated[-1] or truncated[-1]):
            for agent in env.agents:
                raw.step(action[agent])
        states.append(read_state(env, raw))
        obs.append(_observations(env, raw))
        actions.append(_grouped(env, action))
        rewards.append(np.array([raw.rewards[agent] for agent in env.agents]))
        terminated.append(_common(raw.terminations))
        truncated.append(_common(raw.truncations))
    return Recording(
        states=jax.tree.map(lambda *leaves: np.stack(leaves), *states),
        obs=jax.tree.map(lambda *leaves: np.stack(leaves), *obs),
        actions=jax.tree.map(lambda *leaves: np.stack(leaves), *actions),
        rewards=np.stack(rewards),
        terminated=np.array(terminated[1:]),
        truncated=np.array(truncated[1:]),
        played=~np.array(terminated[:-1]),
    )


def read_state(env: MPETask, raw: Any) -> WorldState:
    """mpe2's state as this project's, in float64."""
    agents, landmarks = raw.world.agents, raw.world.landmarks
    return WorldState(
        pos=np.array([agent.state.p_pos for agent in agents]),  # type: ignore[arg-type]
        vel=np.array([agent.state.p_vel for agent in agents]),  # type: ignore[arg-type]
        landmarks=np.array([mark.state.p_pos for mark in landmarks]).reshape(-1, 2),  # type: ignore[arg-type]
        say=np.array([agent.state.c[: env.world.dim_c] for agent in agents], float),  # type: ignore[arg-type]
        choice=np.array(_read_choice(env.name, raw), int),  # type: ignore[arg-type]
        t=np.array(raw.steps),  # type: ignore[arg-type]
    )


def _read_choice(name: str, raw: Any) -> list[int]:
    agents, landmarks = raw.world.agents, raw.world.landmarks
    match name:
        case "simple_adversary_v3" | "simple_push_v3":
            return [landmarks.index(agents[0].goal_a)]
        case "simple_crypto_v3":
            return [landmarks.index(agents[0].goal_a), int(np.argmax(agents[2].key))]
        case "simple_reference_v3":
            return [landmarks.index(agent.goal_b) for agent in agents]
        case "simple_speaker_listener_v4":
            return [landmarks.index(agents[0].goal_b)]
        case "collect_treasure_v1":
            kinds = [treasure.type if treasure.alive else NOTHING for treasure in landmarks]
            held = [agent.holding for agent in agents if agent.collector]
            return kinds + [NOTHING if kind is None else kind for kind in held]
    return []


def _observations(env: MPETask, raw: Any) -> dict[str, np.ndarray]:
    """Before mpe2 rounds them to float32."""
    seen = [raw.scenario.observation(agent, raw.world) for agent in raw.world.agents]
    return {group: np.stack([seen[k] for k in where]) for group, where in env.groups.items()}


def _random_action(env: MPETask, raw: Any, rng: np.random.Generator) -> dict[str, Any]:
    """One for each agent. Continuous ones are sometimes at the very ends of [0, 1]."""
    if not env.continuous_actions:
        return {agent: int(rng.integers(raw.action_space(agent).n)) for agent in env.agents}
    shapes = {agent: raw.action_space(agent).shape for agent in env.agents}
    return {agent: np.clip(rng.uniform(-0.2, 1.2, shape), 0, 1).astype(np.float32) for agent, shape in shapes.items()}


def _grouped(env: MPETask, action: dict[str, Any]) -> dict[str, np.ndarray]:
    return {group: np.stack([action[env.agents[k]] for k in where]) for group, where in env.groups.items()}


def _common(flags: dict[str, bool]) -> bool:
    """The flag of all agents."""
    (flag,) = set(flags.values())
    return flag


# Starts: (env, mpe2's raw environment, rng) -> nothing; each rearranges what mpe2's reset drew.


def _as_drawn(env: MPETask, raw: Any, rng: np.random.Generator) -> None:
    """mpe2's own reset."""


def _crowded(radius: float) -> Callable[..., None]:
    def start(env: MPETask, raw: Any, rng: np.random.Generator) -> None:
        """Everybody and everything in [-radius, radius)², moving."""
        _place_agents(env, raw, rng.uniform(-radius, radius, (env.num_agents, 2)), rng)
        if not isinstance(env, SimpleLine):  # whose landmarks must stay where mpe2 has laid its line
            for landmark in raw.world.landmarks:
                landmark.state.p_pos = rng.uniform(-radius, radius, 2)

    return start


def _out_of_bounds(env: MPETask, raw: Any, rng: np.random.Generator) -> None:
    """Around and beyond the border of the arena."""
    sides = rng.choice([-1.0, 1.0], (env.num_agents, 2))
    _place_agents(env, raw, sides * rng.uniform(0.85, 2.3, (env.num_agents, 2)), rng)


def _at_edges(env: MPETask, raw: Any, rng: np.random.Generator) -> None:
    """Each agent at the rim of a landmark: forests, food, obstacles, treasures."""
    landmarks = raw.world.landmarks
    if not landmarks:
        return
    pos = []
    for agent in raw.world.agents:
        landmark = landmarks[rng.integers(len(landmarks))]
        reach = agent.size + landmark.size + rng.uniform(-0.03, 0.03)
        angle = rng.uniform(0, 2 * np.pi)
        pos.append(landmark.state.p_pos + reach * np.array([np.cos(angle), np.sin(angle)]))
    _place_agents(env, raw, np.array(pos), rng)


def _near_success(env: MPETask, raw: Any, rng: np.random.Generator) -> None:
    """Each agent near its place, its landmark, or an agent that has one; at rest."""
    state = read_state(env, raw)
    anchors = np.asarray(state.pos)
    if isinstance(env, SimpleLine | SimpleFormation):
        with jax.enable_x64(True):
            anchors = np.asarray(env.places(state))
    elif len(state.landmarks):
        anchors = np.resize(np.asarray(state.landmarks), (env.num_agents, 2))
    _place_agents(env, raw, anchors + rng.uniform(-0.05, 0.05, (env.num_agents, 2)), rng, speed=0.02)


def _place_agents(env: MPETask, raw: Any, pos: np.ndarray, rng: np.random.Generator, speed: float = 0.7) -> None:
    """Put the agents there, with random velocities if they can move."""
    for agent, place in zip(raw.world.agents, pos, strict=True):
        agent.state.p_pos = np.array(place)
        if agent.movable:
            agent.state.p_vel = rng.normal(0.0, speed, 2)


STARTS = (_as_drawn, *(_crowded(radius) for radius in CROWDS), _out_of_bounds, _at_edges, _near_success)
