"""How agents that learn from replay try things out, and what critics see of discrete choices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms.exploration import Explorer
from jaxmarl_comm.algorithms.maddpg import Maddpg
from jaxmarl_comm.algorithms.relaxation import GAP, relaxed
from jaxmarl_comm.algorithms.team import Decision, TeamActor
from jaxmarl_comm.distributions import action_distribution
from learners import lively

KEY = jax.random.key(0)
LOGITS = jnp.array([2.0, 0.5, -1.0])


def explorer_of(**changes):
    cfg = default_cfg().replace({"algorithm": "matd3", **changes})
    return Explorer(cfg, TeamActor(cfg, cfg.make_env()))


def meant(explorer, num_envs, value=0.5):
    """A decision of agents who mean to do the same everywhere: an action of `value`, or with these logits."""
    env, sizes = explorer.env, explorer.actor.factors
    outputs = (
        jnp.full((num_envs, 2, 5), value)
        if env.continuous_actions
        else jnp.zeros((num_envs, 2, 5)).at[..., 1].set(value)
    )
    if env.continuous_actions:
        outputs = jnp.log(outputs / (1 - outputs))
    given = {"agent": action_distribution(outputs, sizes["agent"], explorer.actor.kind)}
    words = jnp.zeros((num_envs, 2, 0))
    return Decision(given, words, words, None, {"agent": outputs})


def tried(explorer, num_envs=2000, value=0.5, strength=0.1, noise=None, blindly=False):
    noise = explorer.start(num_envs) if noise is None else noise
    decision = meant(explorer, num_envs, value)
    return explorer.explore(KEY, decision, noise, jnp.array(strength), jnp.array(1.0), jnp.array(blindly))


CONTINUOUS = {"env.continuous_actions": True}


def test_gaussian_noise_has_its_mean_and_strength_and_stays_in_the_box():
    explorer = explorer_of(**CONTINUOUS, mean_noise=0.05)
    moves = np.asarray(tried(explorer).chosen["agent"]["move"])
    assert moves.mean() == pytest.approx(0.55, abs=0.005) and moves.std() == pytest.approx(0.1, abs=0.005)
    at_the_edge = np.asarray(tried(explorer, value=0.99, strength=1.0).chosen["agent"]["move"])
    assert at_the_edge.min() == 0 and at_the_edge.max() == 1


def test_an_ornstein_uhlenbeck_process_is_that_of_its_formula():
    """x + theta (mean - x) dt + sigma sqrt(dt) w, twice without w; then the spread that w brings."""
    explorer = explorer_of(**CONTINUOUS, exploration="ou", ou_theta=0.5, ou_dt=0.4, mean_noise=0.2)
    first = tried(explorer, strength=0.0)
    np.testing.assert_allclose(first.noise["agent"]["move"], 0.04, atol=1e-6)
    second = tried(explorer, strength=0.0, noise=first.noise)
    np.testing.assert_allclose(second.noise["agent"]["move"], 0.04 + 0.5 * 0.16 * 0.4, atol=1e-6)
    np.testing.assert_allclose(second.chosen["agent"]["move"], 0.572, atol=1e-6)
    assert np.std(tried(explorer).noise["agent"]["move"]) == pytest.approx(0.1 * 0.4**0.5, rel=0.05)


def test_noise_begins_anew_with_each_episode():
    cfg = default_cfg().replace(
        {"algorithm": "matd3", **CONTINUOUS, "exploration": "ou", "num_envs": 2, "replay_ratio": 50}
    )
    learner = Maddpg(cfg, cfg.make_env())
    state = lively(learner)
    noise = jax.tree.map(jnp.ones_like, state.rollout.memory.noise)
    state = state._replace(rollout=state.rollout._replace(memory=state.rollout.memory._replace(noise=noise)))
    after = jax.jit(learner.play)(state, KEY)[0]
    assert not np.any(after.memory.noise["agent"]["move"])


@pytest.mark.parametrize("changes", [CONTINUOUS, {}])
def test_at_first_everything_is_as_likely(changes):
    moves = np.asarray(
        tried(explorer_of(**changes), value=0.99 if changes else 9.0, blindly=True).chosen["agent"]["move"]
    )
    if changes:
        assert moves.mean() == pytest.approx(0.5, abs=0.01) and moves.std() == pytest.approx(1 / 12**0.5, abs=0.01)
    else:
        np.testing.assert_allclose(np.bincount(moves.ravel()) / moves.size, 0.2, atol=0.03)


def test_discrete_choices_are_drawn_as_the_policy_says():
    explorer = explorer_of(relaxation="soft")
    found = tried(explorer, value=1.0)
    expected = np.exp([0, 1, 0, 0, 0]) / (np.e + 4)
    moves = np.asarray(found.chosen["agent"]["move"])
    np.testing.assert_allclose(np.bincount(moves.ravel()) / moves.size, expected, atol=0.03)
    soft = np.asarray(found.vectors["agent"]["move"])
    np.testing.assert_allclose(soft.sum(-1), 1, rtol=1e-5)
    assert np.array_equal(soft.argmax(-1), moves) and 0.3 < soft.max(-1).mean() < 0.95


@pytest.mark.parametrize("how", ["soft", "straight_through", "gapped"])
def test_a_relaxed_choice_is_the_one_that_was_drawn(how):
    choice = jnp.array([0.0, 3.0, 0.0])
    found = relaxed(how, LOGITS, choice, jnp.array(0.5))
    if how == "soft":
        np.testing.assert_allclose(found, jax.nn.softmax((LOGITS + choice) / 0.5), rtol=1e-6)
    else:
        assert found.tolist() == [0, 1, 0]


def test_a_gapped_gradient_is_that_of_the_moved_logits():
    """The chosen logit .5 is lifted to 2; the largest, 2, falls to GAP below that; the third is low enough already."""
    choice, weights = jnp.array([0.0, 3.0, 0.0]), jnp.array([1.0, -2.0, 0.5])
    found = jax.grad(lambda x: (relaxed("gapped", x, choice, jnp.array(0.5)) * weights).sum())(LOGITS)
    moved = jnp.array([2.0 - GAP, 2.0, -1.0])
    expected = jax.grad(lambda x: (jax.nn.softmax(x / 0.5) * weights).sum())(moved)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_critic_is_shown_all_of_an_action():
    """Who has a channel always says the first word, and moves as was drawn."""
    explorer = explorer_of()
    deeds = explorer.deeds(KEY, meant(explorer, 6, 50.0), jnp.array(1.0))["agent"]
    assert deeds.shape == (6, 2, 15)
    np.testing.assert_allclose(deeds, np.broadcast_to([0, 1, 0, 0, 0, 1, *[0] * 9], (6, 2, 15)), atol=1e-6)
