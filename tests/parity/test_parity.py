"""Every task, with every argument that changes it, does what mpe2 does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from jaxmarl_comm.envs import ENVS, make_env
from jaxmarl_comm.envs.mpe.parity import (
    ARGUMENTS,
    FLOAT32_TOLERANCE,
    FLOAT64_TOLERANCE,
    Case,
    Recording,
    Step,
    cases,
    compare_episodes,
    compare_steps,
    compiled_step,
    record,
)
from jaxmarl_comm.envs.mpe.parity.command import main
from recordings import recorded


class Played(NamedTuple):
    case: Case
    recording: Recording
    step: Step


CASES = cases()


def as_users_compile(case: Case) -> object:
    """Each task's usual case as users compile it; the others are slow: their rules are compared in float64."""
    usual = not case.arguments and not case.continuous
    return pytest.param(case, marks=pytest.mark.optimised if usual else pytest.mark.slow)


def briefly(case: Case) -> object:
    """A task's arguments with one kind of actions, and both kinds in its usual case: neither changes the other."""
    return pytest.param(case, marks=pytest.mark.slow) if case.arguments and case.continuous else case


@pytest.fixture(scope="module", params=[briefly(case) for case in CASES], ids=str)
def played(request: pytest.FixtureRequest) -> Iterator[Played]:
    case = request.param
    yield Played(case, recorded(case), compiled_step(case.env))


def test_every_task_is_compared() -> None:
    assert set(ARGUMENTS) == {name for name in ENVS if make_env(name).reference == "mpe2"}


def test_single_steps_in_float64(played: Played) -> None:
    difference = compare_steps(played.step, played.recording, x64=True)
    assert difference.within(FLOAT64_TOLERANCE), difference
    assert difference.steps >= 200


def test_whole_episodes_in_float64(played: Played) -> None:
    difference = compare_episodes(played.step, played.recording)
    assert difference.within(FLOAT64_TOLERANCE), difference
    assert difference.steps >= 200


@pytest.mark.parametrize("played", [as_users_compile(case) for case in CASES], ids=str, indirect=True)
def test_single_steps_in_float32(played: Played) -> None:
    difference = compare_steps(played.step, played.recording, x64=False)
    assert difference.within(FLOAT32_TOLERANCE), difference
    assert difference.edges <= 0.02 * difference.steps


def test_agents_spaces_and_episode_length(played: Played) -> None:
    case, recording, _ = played
    raw = case.mpe2
    env = make_env(case.name, **dict(case.arguments), continuous_actions=case.continuous)
    assert list(env.agents) == raw.possible_agents
    for position, agent in enumerate(env.agents):
        group, _ = env.seat(position)
        space = env.action_spaces[group]
        assert raw.observation_space(agent).shape == (env.obs_dims[group],)
        assert (
            (raw.action_space(agent).shape[0] == space.dim) if case.continuous else raw.action_space(agent).n == space.n
        )
    full_length = ~recording.terminated.any(axis=1)
    assert np.array_equal(recording.played[full_length].sum(axis=1), np.full(full_length.sum(), env.max_cycles))
    assert recording.terminated.any() == env.ends_early


def test_a_success_at_the_last_step_is_a_truncation() -> None:
    case = Case("simple_spread_v3", (("N", 2), ("max_cycles", 1), ("terminate_on_success", True)), continuous=False)
    recording = record(case, steps=64)
    assert recording.truncated.all() and not recording.terminated.any()
    assert compare_steps(compiled_step(case.env), recording, x64=True).within(FLOAT64_TOLERANCE)


@pytest.mark.slow
def test_far_longer_recordings_are_within_bounds() -> None:
    """What the tests above do in few episodes."""
    assert main(["--steps", "1200", "--seed", "1"]) == 0
