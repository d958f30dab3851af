"""The largest differences between a recording of mpe2 and the same steps here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.envs.base import Array
from jaxmarl_comm.envs.mpe.parity.recording import Recording
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.envs.mpe.world import WorldState

FLOAT32_TOLERANCE = 1e-5
FLOAT64_TOLERANCE = 1e-9
EDGE_NUDGE, EDGE_JUMP = 1e-6, 1e-4  # see `at_edge`

Step = Callable[[Any, WorldState, dict[str, Any]], tuple[dict[str, Array], WorldState, Any]]


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


def compiled_step(env: MPETask) -> Step:
    """(chance, state, actions), all `[E, ...]` -> (observations before, state after, time step after)."""

    def step(chance: Any, state: WorldState, actions: dict[str, Array]) -> tuple[dict[str, Array], WorldState, Any]:
        return env.observe(state), *env.step(chance, state, actions)

    return jax.jit(jax.vmap(step))


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
