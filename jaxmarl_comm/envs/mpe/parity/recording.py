"""Episodes of mpe2, recorded in float64: from all kinds of starts, under random actions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.envs.mpe.collect_treasure import NOTHING
from jaxmarl_comm.envs.mpe.parity.cases import Case
from jaxmarl_comm.envs.mpe.places import TakePlaces
from jaxmarl_comm.envs.mpe.simple_line import SimpleLine
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import WorldState

CROWDS = (0.25, 0.6, 1.1, 1.6)  # starts with everything in [-r, r)²


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


def record(case: Case, steps: int = 1200, seed: int = 0) -> Recording:
    """Play episodes of that many steps in all (fewer if they end early), from all kinds of `STARTS` in turn.

    Actions are random. Same seed, same recording.
    """
    rng = np.random.default_rng(seed)
    episodes = math.ceil(steps / case.env.max_cycles)
    played = [_play(case, STARTS[k % len(STARTS)], rng, seed=k) for k in range(episodes)]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *played)


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
    if isinstance(env, TakePlaces):
        with jax.enable_x64(True):
            anchors = np.asarray(env.posts(state))
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
