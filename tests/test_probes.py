"""Every variant of the algorithm finds what the probes are known to be worth, and what one must do in them."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import default_cfg
from learners import lively
from probes import Constant, Just, Later, Obey, Once, OneOf, Recall, Rivals, Tell

GAMMA = 0.8
SETTINGS = {
    "num_envs": 64,
    "num_minibatches": 4,
    "ppo_epochs": 4,
    "hidden_dim": 16,
    "rollout_len": 6,
    "num_iters": 30,
    "lr": 0.01,
    "gamma": GAMMA,
    "gae_lambda": 0.95,
    "comm.preset": "none",
    "reward_sharing": "individual",
}
SLOW = pytest.mark.slow
VARIANTS = {
    "ippo": {"algorithm": "ippo"},
    "state": {"critic_input": "joint_actions", "share_critics": "agent"},
    "apart": {"share_params": False, "advantage_norm": "agent"},
    "told apart": {"actor_id": "one_hot", "critic_id": "embedding", "share_critics": "team"},
    "plain": {"value_norm": False, "clip_values": False, "huber_delta": 10.0, "advantage_norm": "minibatch"},
    "careful": {"target_kl": 0.05, "grad_accumulation": 4, "lr_schedule": "cosine", "ent_coef_schedule": "linear"},
    "lstm": {"net.memory": "lstm", "net.critic_memory": "lstm"},
    "deep": {"net.hidden": [16, 16, 16], "net.activation": "tanh", "net.layer_norm": True},
}


def learner_of(env, **changes):
    return Mappo(default_cfg().replace({**SETTINGS, **changes}), env)


def train(learner, state):
    """(the state after all iterations, means of the metrics of the last five)."""
    state, metrics = jax.lax.scan(lambda s, _: learner.update(s), state, length=learner.cfg.num_iters)
    return state, jax.tree.map(lambda x: x[-5:].mean(), metrics)


def trained(env, start=lively, **changes):
    """(learner, its state after all iterations, metrics of the last). start: makes the first state."""
    learner = learner_of(env, **changes)
    return learner, *jax.jit(partial(train, learner))(start(learner))


def drawn(learner):
    """The state that runs start from, which takes longer to compile."""
    return jax.jit(learner.init)(jax.random.key(1))


@pytest.fixture(scope="module")
def several():
    """Task -> (values where the environments stand, their bits, their clocks, metrics), of those that OneOf is.

    One program trains them side by side. Rollouts end in the middle of an episode of two steps.
    """

    def found(which, state):
        learner = learner_of(OneOf(which=which), rollout_len=5)
        state, metrics = train(learner, state)
        return *valued(learner, state), metrics

    side_by_side = jax.jit(jax.vmap(found, in_axes=(0, None)))
    state = lively(learner_of(OneOf(), rollout_len=5))
    of_all = jax.device_get(side_by_side(jnp.arange(len(OneOf.tasks)), state))
    return {type(task): jax.tree.map(lambda x, k=k: x[k], of_all) for k, task in enumerate(OneOf.tasks)}


def valued(learner, state):
    """(`[E, N]` values where the environments stand, their bits, their clocks)."""
    now = state.rollout
    return learner.values(state, jax.random.key(0), now), now.env.bits, now.env.t


def values(learner, state):
    """The same, in numpy."""
    return jax.device_get(jax.jit(partial(valued, learner))(state))


def test_nothing_ends_where_the_clock_runs_out():
    # Returns that hardly differ are normalised by next to nothing: values kept near the old ones would creep.
    learner, state, _ = trained(Constant(), clip_values=False)
    np.testing.assert_allclose(values(learner, state)[0], 1 / (1 - GAMMA), atol=0.15)


def test_what_is_seen_is_worth_what_it_pays(several):
    found, bits, _, metrics = several[Once]
    np.testing.assert_allclose(found, bits, atol=0.1)
    assert metrics["explained_variance"] > 0.95


def test_what_comes_later_is_discounted(several):
    found, _, clock, _ = several[Later]
    np.testing.assert_allclose(found, np.where(clock == 0, GAMMA, 1.0)[:, None] * np.ones(2), atol=0.1)
    assert (clock == 0).any()


def test_agents_do_what_pays(several):
    assert several[Obey][-1]["return"] > 0.95


@pytest.mark.parametrize(
    ("preset", "low", "high"), [("commnet", 0.9, 1.0), pytest.param("none", -0.3, 0.3, marks=SLOW)]
)
def test_agents_tell_what_others_must_know(preset, low, high):
    _, _, metrics = trained(Tell(), **{"comm.preset": preset})
    assert low < metrics["return"] <= high


@pytest.mark.parametrize(("memory", "low", "high"), [("gru", 0.9, 1.0), pytest.param("none", -0.3, 0.3, marks=SLOW)])
def test_agents_with_memory_remember(memory, low, high):
    _, _, metrics = trained(Recall(), **{"net.memory": memory, "num_iters": 60})
    assert low < metrics["return"] <= high


@pytest.mark.parametrize(("last_step", "low", "high"), [(True, 0.9, 1.0), pytest.param(False, -0.3, 0.3, marks=SLOW)])
def test_agents_who_look_back_know_what_they_just_saw(last_step, low, high):
    _, _, metrics = trained(Just(), **{"net.last_step": last_step})
    assert low < metrics["return"] <= high


def test_rivals_each_do_their_best():
    learner, state, metrics = trained(Rivals(), **{"env.name": "simple_push_v3"})
    assert abs(metrics["return_good"]) < 0.1 and metrics["entropy_good"] < 0.3 and metrics["entropy_adversary"] < 0.3
    np.testing.assert_allclose(values(learner, state)[0], 0, atol=0.15)


@SLOW
@pytest.mark.parametrize("changes", [{"alternate_every": 3}, {"pool_share": 0.5, "pool_size": 4, "pool_interval": 5}])
def test_rivals_learn_in_turns_and_from_the_past(changes):
    """Twice as long, as each learns half of the time; the past may be beaten, so returns say nothing."""
    _, _, metrics = trained(Rivals(), **{"env.name": "simple_push_v3", "num_iters": 120, **changes})
    assert metrics["entropy_good"] < 0.3 and metrics["entropy_adversary"] < 0.3


@SLOW
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_solves_them(variant):
    changes = {**VARIANTS[variant], "num_iters": 60, "start": drawn}
    assert trained(Obey(), **changes)[2]["return"] > 0.95
    assert trained(Tell(), **changes, **{"comm.preset": "commnet"})[2]["return"] > 0.9
    learner, state, _ = trained(Later(), **changes)
    found, _, clock = values(learner, state)
    np.testing.assert_allclose(found, np.where(clock == 0, GAMMA, 1.0)[:, None] * jnp.ones(2), atol=0.15)
