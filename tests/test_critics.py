"""What critics see, whose they are, and that every kind of them learns."""

import jax
import numpy as np
import pytest

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.algorithms.critics import critic_inputs
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import ConfigError, default_cfg
from jaxmarl_comm.envs import ENVS, make_env
from learners import assert_fits_together, assert_taught, lively

SMALL = {"num_envs": 4, "num_minibatches": 2, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 26}


def learner_of(task="simple_reference_v3", **changes):
    cfg = default_cfg().replace({"env.name": task, **SMALL, "comm.preset": "none", **changes})
    return Mappo(cfg, make_env(task, **cfg.env.arguments))


def numbers(env):
    """obs, world and actions of one environment, every number another."""
    counted = iter(range(1, 10_000))
    obs = {g: np.array([[next(counted) for _ in range(d)] for _ in env.groups[g]]) for g, d in env.obs_dims.items()}
    actions = {g: np.arange(len(env.groups[g])) + 1 for g in env.groups}
    return obs, np.array([-1.0, -2.0]), actions


def test_each_sees_its_own_first():
    env = make_env("simple_speaker_listener_v4")
    obs, world, actions = numbers(env)
    speaker, listener = obs["speaker"][0], obs["listener"][0]
    compiled = jax.jit(lambda sees, *what: critic_inputs(env, sees, *what), static_argnums=0)
    joint = compiled("joint", obs, None, None)
    np.testing.assert_array_equal(joint["speaker"][0], [*speaker, *listener])
    np.testing.assert_array_equal(joint["listener"][0], [*listener, *speaker])
    assert critic_inputs(env, "own", obs, None, None) is obs
    np.testing.assert_array_equal(compiled("state", obs, world, None)["speaker"][0], [*speaker, -1, -2])
    with_actions = compiled("joint_actions", obs, None, actions)
    np.testing.assert_array_equal(with_actions["speaker"][0], [*speaker, *listener, 0, 1, 0, 0, 0])  # the listener's
    np.testing.assert_array_equal(with_actions["listener"][0], [*listener, *speaker, 0, 1, 0])  # word of the speaker


@pytest.mark.parametrize("continuous", [False, True])
def test_a_baseline_knows_all_actions_but_its_own(continuous):
    env = make_env("simple_world_comm_v3", continuous_actions=continuous)
    obs = {g: np.zeros((len(env.groups[g]), d)) for g, d in env.obs_dims.items()}
    kind = float if continuous else int
    still = {g: np.zeros((len(w), *env.action_spaces[g].shape), kind) for g, w in env.groups.items()}
    inputs = jax.jit(lambda actions: critic_inputs(env, "joint_actions", obs, None, actions))
    for agent in range(env.num_agents):
        group, position = env.seat(agent)
        moved = still | {group: still[group].copy()}
        moved[group][position] = 1
        before, after = jax.device_get((inputs(still), inputs(moved)))
        for other in range(env.num_agents):
            g, k = env.seat(other)
            assert (before[g][k] == after[g][k]).all() == (other == agent)


@pytest.mark.parametrize("task", ENVS)
def test_the_whole_state_tells_states_apart(task):
    """It is finite, of one length, and another wherever anything but the clock is."""
    env = make_env(task)
    state, _ = jax.device_get(jax.jit(env.reset)(jax.random.key(0)))
    world_state = jax.jit(env.world_state)
    known = np.asarray(world_state(state))
    assert known.ndim == 1 and np.isfinite(known).all()
    for name, value in state._asdict().items():
        if value.size and name != "t":
            other = state._replace(**{name: 1 - value})
            assert (np.asarray(world_state(other)) != known).any(), name


CONTINUOUS = {"env.continuous_actions": True, "env.N": 2}
VARIANTS = [
    ("simple_reference_v3", {"algorithm": "ippo", "comm.preset": "commnet"}),
    ("simple_reference_v3", {"critic_input": "state", "critic_embed_dim": 4, "critic_id": "embedding"}),
    ("simple_adversary_v3", {"critic_input": "joint_actions", "share_critics": "agent", "actor_id": "embedding"}),
    ("simple_spread_v3", {"critic_input": "joint_actions", "share_critics": "team", **CONTINUOUS}),
    ("simple_spread_v3", {"share_params": False, "share_critics": "group", "critic_id": "one_hot"}),
    ("simple_spread_v3", {"env.terminate_on_success": True, "critic_input": "state", "actor_id": "one_hot"}),
]  # fmt: skip


@pytest.mark.parametrize(("task", "changes"), VARIANTS)
def test_every_kind_of_critic_learns(task, changes):
    assert_taught(learner_of(task, **changes))


def test_sides_that_compete_share_no_critic_and_may_have_other_networks():
    changes = {"share_critics": "team", "net.groups": {"adversary": {"hidden": [4, 4]}}}
    learner = learner_of("simple_adversary_v3", **changes)
    assert_fits_together(learner, lively(learner))
    with pytest.raises(ConfigError, match=r"share_critics is team, but net\.groups gives groups of adversary other"):
        learner_of("simple_world_comm_v3", **changes)


def test_sides_that_compete_may_share_critics_that_know_all_vectors():
    """As far as shapes go: to compile this update takes as long as all the others."""
    changes = {"critic_input": "joint_actions", "share_critics": "team", "env.continuous_actions": True}
    learner = learner_of("simple_adversary_v3", **changes)
    assert_fits_together(learner, lively(learner))


def test_ippo_is_mappo_with_critics_that_see_their_own_agents_observation():
    ippo, own = learner_of(algorithm="ippo"), learner_of(critic_input="own")
    state = lively(ippo)
    jax.tree.map(np.testing.assert_array_equal, state.params, lively(own).params)
    assert state.params.critic["params"]["agent_0"]["Dense_0"]["kernel"].shape[0] == 21
    cfg = default_cfg().replace(algorithm="ippo")
    assert make_algorithm(cfg, make_env(cfg.env.name)).init is not None


@pytest.mark.parametrize("agent_id", ["none", "one_hot", "embedding"])
def test_agents_who_see_the_same_are_told_apart_by_who_they_are(agent_id):
    learner = learner_of("simple_spread_v3", actor_id=agent_id, critic_id=agent_id, critic_input="own")
    state, alike = lively(learner), {"agent": np.ones((4, 3, 18), np.float32)}
    view = learner.actor.view(learner.batch, state.rollout.env, alike, state.rollout.memory.team)

    @jax.jit
    def outputs_and_values(state):
        team = learner.team(state)
        circumstances = learner.actor.meet(team, jax.random.key(0), view, training=True)
        decided = learner.actor.decide(team, alike, circumstances, lambda k, packet: packet, {})
        values, _ = learner.critic.net.apply(state.params.critic, alike)
        return decided.outputs["agent"], values[..., None]

    for found in jax.device_get(outputs_and_values(state)):
        apart = np.abs(found[:, 0] - found[:, 1]).max()
        assert (apart > 1e-3) == (agent_id != "none")


def test_who_has_a_critic_in_common():
    sizes = {}
    for share in ("team", "group", "agent"):
        learner = learner_of("simple_adversary_v3", share_critics=share)
        sizes[share] = sum(
            x.size for x in jax.tree.leaves(jax.eval_shape(learner.init, jax.random.key(0)).params.critic)
        )
    assert sizes["team"] == sizes["group"] < sizes["agent"]  # each side is one group


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "ippo", "critic_input": "joint"}, "critic_input is joint: that is mappo"),
        (
            {"net.last_step": True, "comm.preset": "speech", "comm.speech": "differentiable"},
            "net.last_step must be false where comm.speech is differentiable",
        ),
        ({"share_params": False, "actor_id": "one_hot"}, "actor_id tells agents apart that share a policy"),
        ({"share_critics": "agent", "critic_id": "one_hot"}, "critic_id tells agents apart that share a critic"),
        ({"critic_input": "own", "critic_embed_dim": 8}, "critic_embed_dim compresses what is not an agent's own"),
        (
            {"env.name": "simple_speaker_listener_v4", "share_critics": "team"},
            "speaker and listener see observations of",
        ),
        (
            {"env.name": "simple_world_comm_v3", "share_critics": "team", "critic_input": "joint_actions"},
            "see observations or take actions of different length",
        ),
        ({"algorithm": "qmix"}, "'algorithm' is 'qmix'"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)
