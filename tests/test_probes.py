"""Every variant of the algorithm finds what the probes are known to be worth, and what one must do in them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import default_cfg
from probes import Constant, Later, Obey, Once, Recall, Rivals, Tell

GAMMA = 0.8
SETTINGS = {
    "num_envs": 64,
    "num_minibatches": 4,
    "ppo_epochs": 4,
    "hidden_dim": 16,
    "rollout_len": 6,
    "num_iters": 60,
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


def trained(env, **changes):
    """(learner, its state after all iterations, metrics of the last)."""
    learner = Mappo(default_cfg().replace({**SETTINGS, **changes}), env)

    @jax.jit
    def train(key):
        state, metrics = jax.lax.scan(lambda s, _: learner.update(s), learner.init(key), length=learner.cfg.num_iters)
        return state, jax.tree.map(lambda x: x[-5:].mean(), metrics)

    return learner, *train(jax.random.key(1))


def values(learner, state):
    """(`[E, N]` values where the environments stand, their bits, their clocks)."""
    now = state.rollout
    found = jax.jit(learner.values)(state, jax.random.key(0), now)
    return np.asarray(found), np.asarray(now.env.bits), np.broadcast_to(now.env.t, len(found))


def test_nothing_ends_where_the_clock_runs_out():
    # Returns that hardly differ are normalised by next to nothing: values kept near the old ones would creep.
    learner, state, _ = trained(Constant(), clip_values=False)
    np.testing.assert_allclose(values(learner, state)[0], 1 / (1 - GAMMA), atol=0.15)


def test_what_is_seen_is_worth_what_it_pays():
    learner, state, metrics = trained(Once())
    found, bits, _ = values(learner, state)
    np.testing.assert_allclose(found, bits, atol=0.1)
    assert metrics["explained_variance"] > 0.95


def test_what_comes_later_is_discounted():
    learner, state, _ = trained(Later(), **{"rollout_len": 5})  # rollouts end in the middle of an episode
    found, _, clock = values(learner, state)
    np.testing.assert_allclose(found, np.where(clock == 0, GAMMA, 1.0)[:, None] * np.ones(2), atol=0.1)


def test_agents_do_what_pays():
    assert trained(Obey())[2]["return"] > 0.95


@pytest.mark.parametrize(
    ("preset", "low", "high"), [("commnet", 0.9, 1.0), pytest.param("none", -0.3, 0.3, marks=SLOW)]
)
def test_agents_tell_what_others_must_know(preset, low, high):
    _, _, metrics = trained(Tell(), **{"comm.preset": preset})
    assert low < metrics["return"] <= high


@pytest.mark.parametrize(("memory", "low", "high"), [("gru", 0.9, 1.0), pytest.param("none", -0.3, 0.3, marks=SLOW)])
def test_agents_with_memory_remember(memory, low, high):
    _, _, metrics = trained(Recall(), **{"net.memory": memory, "num_iters": 100})
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
    changes = VARIANTS[variant]
    assert trained(Obey(), **changes)[2]["return"] > 0.95
    assert trained(Tell(), **changes, **{"comm.preset": "commnet"})[2]["return"] > 0.9
    learner, state, _ = trained(Later(), **changes)
    found, _, clock = values(learner, state)
    np.testing.assert_allclose(found, np.where(clock == 0, GAMMA, 1.0)[:, None] * jnp.ones(2), atol=0.15)
