"""Sides that learn in turns, or against a policy of the other's past."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.chunks import may_be_nan
from jaxmarl_comm.config import ConfigError
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD
from jaxmarl_comm.nets.params import by_team
from learners import KEY, lively

SMALL = {"num_envs": 4, "num_minibatches": 1, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 4, "comm.preset": "none"}


TASK = "simple_push_v3"


def learner_of(**changes):
    return Mappo(default_cfg().replace({"env.name": TASK, **SMALL, **changes}), make_env(TASK))


@pytest.fixture(scope="module")
def in_turns():
    """(a learner whose sides learn for two iterations each, its update)."""
    learner = learner_of(alternate_every=2)
    return learner, jax.jit(learner.update)


def of_team(learner, state, team):
    """All that a team learns: parameters, optimiser states and the scale of its returns."""
    params = [by_team(learner.env, part)[team] for part in state.params]
    agents = np.array(learner.env.team_members[team])
    return jax.device_get((params, [part[team] for part in state.opt_state], [x[agents] for x in state.value_norm]))


def moved(learner, before, after, team):
    """Whether all, some or none of what a team learns has changed."""
    pairs = zip(*(jax.tree.leaves(of_team(learner, x, team)) for x in (before, after)), strict=True)
    changed = {not np.array_equal(a, b) for a, b in pairs}
    return {(True,): "all", (False,): "none"}.get(tuple(changed), "some")


def test_sides_learn_in_turns(in_turns):
    """Two iterations each, the good side first; whoever pauses stays as it is, to the last bit."""
    (learner, update), learned = in_turns, []
    state = lively(learner)
    for _ in range(5):
        after, _ = update(state)
        learned.append(tuple(moved(learner, state, after, team) for team in (GOOD, ADVERSARY)))
        state = after
    assert learned == [("all", "none"), ("all", "none"), ("none", "all"), ("none", "all"), ("all", "none")]


def test_who_learns_in_its_turn_learns_as_if_nobody_paused(in_turns):
    learner, update = in_turns
    state = lively(learner)
    key, _ = jax.random.split(state.key)  # the rest of the key says who plays
    alone, _ = update(state)
    together, _ = jax.jit(learner_of().update)(state._replace(key=key))
    jax.tree.map(np.testing.assert_array_equal, of_team(learner, alone, GOOD), of_team(learner, together, GOOD))
    assert moved(learner, state, together, ADVERSARY) == "all"


def test_with_a_pool_one_side_learns_and_the_other_plays_its_past():
    """The past is told from the present by its size: were the present played, actions would be others."""
    learner = learner_of(pool_share=1.0, pool_size=2, pool_interval=1_000)
    state = lively(learner)
    old = jax.tree.map(lambda x: -x, state.params.policy)
    kept = jax.tree.map(lambda x: jnp.stack([x, jnp.full_like(x, jnp.nan)]), old)
    past = state.past._replace(params=kept, ever_kept=np.int32(1))
    state = state._replace(past=past, iteration=np.int32(1))
    cast = jax.jit(lambda key: learner.turns.cast(past, state.params.policy, state.iteration, key))
    seen = set()
    for key in jax.random.split(KEY, 20):
        policy, learns = cast(key)
        (learner_team,) = np.flatnonzero(learns)
        seen.add(int(learner_team))
        for team in (GOOD, ADVERSARY):
            played = state.params.policy if team == learner_team else old
            jax.tree.map(
                np.testing.assert_array_equal, by_team(learner.env, policy)[team], by_team(learner.env, played)[team]
            )
    assert seen == {GOOD, ADVERSARY}
    after, metrics = jax.jit(learner.update)(state)
    assert sorted(moved(learner, state, after, team) for team in (GOOD, ADVERSARY)) == ["all", "none"]
    assert all(np.isfinite(x) for name, x in metrics.items() if not may_be_nan(name))


def test_the_newest_policies_are_kept_in_place_of_the_oldest():
    learner = learner_of(pool_share=0.5, pool_size=2, pool_interval=3)
    past, remember = learner.turns.start({"w": np.zeros(1)}), jax.jit(learner.turns.remember)
    kept = []
    for iteration in range(8):
        past = remember(past, {"w": np.full(1, iteration, float)}, iteration)
        kept.append(past.params["w"][:, 0].tolist())
    assert kept == [[0, 0]] * 3 + [[0, 3]] * 3 + [[6, 3]] * 2
    assert past.ever_kept == 3


def test_a_share_of_no_iterations_is_no_pool():
    assert learner_of(alternate_every=1).turns.start({}) == ()
    assert not learner_of().turns.needed


def test_about_as_many_iterations_as_asked_are_of_one_learner():
    learner = learner_of(pool_share=0.25)
    state = lively(learner)
    past = learner.turns.remember(state.past, state.params.policy, 0)
    cast = jax.vmap(lambda key: learner.turns.cast(past, state.params.policy, 1, key).learns)
    learns = np.array(jax.jit(cast)(jax.random.split(KEY, 2_000)))
    alone = ~learns.all(axis=1)
    assert alone.mean() == pytest.approx(0.25, abs=4 * (0.25 * 0.75 / 2_000) ** 0.5)
    assert learns.any(axis=1).all()
    assert learns[alone, GOOD].mean() == pytest.approx(0.5, abs=4 * 0.5 / alone.sum() ** 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"alternate_every": 2},
            "alternate_every needs two teams that learn, but in simple_reference_v3 one does: good",
        ),
        ({"pool_share": 0.5}, "pool_share needs two teams"),
        ({"env.name": "simple_push_v3", "comm.preset": "none", "pool_size": 3}, "pool_size means nothing while"),
        ({"env.name": "simple_push_v3", "comm.preset": "none", "pool_interval": 3}, "pool_interval means nothing"),
        (
            {"env.name": "simple_push_v3", "comm.preset": "none", "opponents": {"good": "stay"}, "pool_share": 0.5},
            "in simple_push_v3 one does: adversary",
        ),
    ],
)
def test_what_cannot_be_is_said(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)
