"""Resets draw from mpe2's distributions: the same ranges and shapes, and everything independent of everything."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.collect_treasure import CollectTreasure
from jaxmarl_comm.envs.mpe.parity import ARGUMENTS, Case, read_state
from jaxmarl_comm.envs.mpe.simple_reference import SimpleReference
from jaxmarl_comm.envs.mpe.simple_spread import SimpleSpread
from jaxmarl_comm.envs.mpe.simple_tag import SimpleTag
from jaxmarl_comm.envs.mpe.task import MPETask

OURS, THEIRS = 4000, 1000
SMALLEST_P = 1e-4


@lru_cache
def mpe2_resets(name: str) -> Any:
    case = Case(name, (), continuous=False)
    states = []
    for seed in range(THEIRS):
        case.mpe2.reset(seed=seed)
        states.append(read_state(case.env, case.mpe2))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


def resets(env: MPETask, seed: int = 0) -> Any:
    states, _ = jax.jit(jax.vmap(env.reset))(jax.random.split(jax.random.key(seed), OURS))
    return jax.tree.map(np.asarray, states)


def deviations(ours: Any, theirs: Any) -> list[str]:
    """What is improbable about our resets, given mpe2's."""
    found = []
    coordinates = [np.concatenate([s.pos, s.landmarks], axis=1).reshape(len(s.pos), -1) for s in (ours, theirs)]
    for k, (mine, other) in enumerate(zip(*(x.T for x in coordinates), strict=True)):
        if stats.ks_2samp(mine, other).pvalue < SMALLEST_P:
            found.append(f"distribution of coordinate {k}")
        if max(np.abs(mine).max(), np.abs(other).max()) > 1.01 * min(np.abs(mine).max(), np.abs(other).max()):
            found.append(f"range of coordinate {k}")

    correlation = [np.corrcoef(np.concatenate([x, np.abs(x)], axis=1).T) for x in coordinates]
    if np.abs(correlation[0] - correlation[1]).max() > 5 * np.sqrt(1 / OURS + 1 / THEIRS):
        found.append("correlation of coordinates")

    drawn = [k for k in range(theirs.choice.shape[1]) if theirs.choice[:, k].max() > 0]
    for k in drawn:
        counts = [np.bincount(s.choice[:, k], minlength=theirs.choice[:, k].max() + 1) for s in (ours, theirs)]
        if counts[0].shape != counts[1].shape or stats.chi2_contingency(counts).pvalue < SMALLEST_P:
            found.append(f"distribution of choice {k}")
    for a, b in combinations(drawn, 2):
        pairs = stats.contingency.crosstab(ours.choice[:, a], ours.choice[:, b]).count
        if stats.chi2_contingency(pairs).pvalue < SMALLEST_P:
            found.append(f"dependence of choices {a} and {b}")
    for k in drawn:
        x = coordinates[0] - coordinates[0].mean(axis=0)
        by_choice = [
            stats.f_oneway(*(column[ours.choice[:, k] == c] for c in set(ours.choice[:, k]))) for column in x.T
        ]
        if min(test.pvalue for test in by_choice) < SMALLEST_P / len(by_choice):
            found.append(f"dependence of coordinates on choice {k}")

    for part in ("vel", "say", "t"):
        if np.any(getattr(ours, part)) or np.any(getattr(theirs, part)):
            found.append(f"{part} is not 0")
    return found


@pytest.mark.parametrize("name", ARGUMENTS)
def test_resets_are_distributed_as_mpe2s(name: str) -> None:
    env = make_env(name)
    assert isinstance(env, MPETask)
    assert deviations(resets(env), mpe2_resets(name)) == []


def test_treasures_reappear_as_they_appear() -> None:
    env = CollectTreasure()
    places, kinds = jax.jit(jax.vmap(env.draw_treasures))(jax.random.split(jax.random.key(1), OURS))
    state = resets(env)
    state = state._replace(landmarks=np.asarray(places), choice=np.concatenate([kinds, state.choice[:, 6:]], axis=1))
    assert deviations(state, mpe2_resets(env.name)) == []


class WideTag(SimpleTag):
    landmark_range = 0.93


class SameKeySpread(SimpleSpread):
    def draw(self, key: Any) -> Any:
        state = super().draw(key)
        return state._replace(landmarks=jnp.roll(state.pos, 1, axis=0))


class AgreeingReference(SimpleReference):
    def draw(self, key: Any) -> Any:
        state = super().draw(key)
        agree = jax.random.bernoulli(key, 0.2)
        return state._replace(choice=jnp.where(agree, state.choice[0], state.choice))


class FewGoalsReference(SimpleReference):
    num_choices = (2, 3)


class NormalSpread(SimpleSpread):
    def draw(self, key: Any) -> Any:
        return super().draw(key)._replace(pos=jnp.clip(0.5 * jax.random.normal(key, (3, 2)), -1, 1))


class GivenAwayReference(SimpleReference):
    def draw(self, key: Any) -> Any:
        state = super().draw(key)
        return state._replace(choice=jnp.where(state.landmarks[:2, 0] > 0.8, 0, state.choice))


@pytest.mark.parametrize(
    "wrong", [WideTag, SameKeySpread, AgreeingReference, FewGoalsReference, NormalSpread, GivenAwayReference]
)
def test_wrong_distributions_are_noticed(wrong: type[MPETask]) -> None:
    assert deviations(resets(wrong()), mpe2_resets(wrong().name))
