"""Groups that the user makes: the same task, the same agents, other networks."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import ConfigError, default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.grouping import regrouped
from learners import assert_taught, lively

SMALL = {"num_envs": 4, "num_minibatches": 2, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 26}
ODD_AND_EVEN = {"odd": ["adversary_1"], "even": ["adversary_2", "adversary_0"], "prey": ["agent_0"]}


@pytest.mark.parametrize("groups", ["agent", ODD_AND_EVEN])
def test_the_task_stays_what_it_is(groups):
    """The same starts, observations, rewards, whoever is grouped with whom."""
    plain = make_env("simple_tag_v3")
    env = regrouped(plain, groups)
    assert env == regrouped(plain, groups) and env != plain and hash(env) == hash(regrouped(plain, groups))
    assert (env.agents, env.teams, env.name, env.ladder) == (plain.agents, plain.teams, plain.name, plain.ladder)

    @partial(jax.jit, static_argnums=0)
    def played(env):
        state, first = env.reset(jax.random.key(0))
        moves = env.split(jnp.array([1, 2, 3, 4]))
        state, then = env.step(jax.random.key(1), state, moves)
        by_agent = [then.obs[g][k] for g, k in map(env.seat, range(env.num_agents))]
        return by_agent, then.reward, env.global_state(state), [first.obs[g][k] for g, k in map(env.seat, range(4))]

    jax.tree.map(np.testing.assert_array_equal, played(env), played(plain))


def test_groups_have_networks_of_their_own_and_agents_in_one_share_them():
    cfg = default_cfg().replace(
        {
            **SMALL,
            "env.name": "simple_tag_v3",
            "env.num_good": 2,  # as what one prey says would teach nobody
            "agent_groups": ODD_AND_EVEN | {"prey": ["agent_0", "agent_1"]},
            "net.groups": {"odd": {"hidden": [4, 4]}},
        }
    )
    learner = Mappo(cfg, cfg.make_env())
    state = lively(learner)
    layers = state.params.policy["params"]
    assert layers["odd_encode"]["Dense_0"]["kernel"].shape == (20, 4)
    assert layers["even_encode"]["Dense_0"]["kernel"].shape == (20, 8)
    assert learner.env.group_teams == {"odd": 1, "even": 1, "prey": 0}
    assert_taught(learner)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"a": ["agent_0"], "b": ["agnet_1"]}, "agent_groups has 'agnet_1', but the agents of"),
        ({"a": ["agent_0"]}, "agent_groups has agent_1 0 times, but each agent belongs to one group"),
        ({"a": ["agent_0", "agent_1"], "b": ["agent_1"]}, "agent_groups has agent_1 2 times"),
        ({"a": ["agent_0", "agent_1"], "b": []}, "agent_groups has nobody in 'b'"),
        ({"a": ["agent_0"], "a_b": ["agent_1"]}, "no name may go on where another ends"),
        ({"a.b": ["agent_0"], "c": ["agent_1"]}, "agent_groups has a group 'a.b', but names are made of letters"),
        ({"a;b": ["agent_0"], "c": ["agent_1"]}, "agent_groups has a group 'a;b'"),
        ({"": ["agent_0"], "c": ["agent_1"]}, "agent_groups has a group ''"),
        ("prefixes", "agent_groups is 'prefixes', but must be prefix, agent, or a list"),
        ({"a": "agent_0"}, "agent_groups is .*, but must be prefix, agent, or a list"),
    ],
)
def test_what_cannot_be_grouped_is_one_line(groups, message):
    with pytest.raises(ConfigError, match=message) as refused:
        default_cfg().replace({"agent_groups": groups})
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 300


def test_a_group_is_of_one_kind():
    listed = {"all": ["speaker_0", "listener_0"]}
    with pytest.raises(ConfigError, match="speaker_0 and listener_0 in 'all', but a group is of one team and sees"):
        default_cfg().replace({"env.name": "simple_speaker_listener_v4", "agent_groups": listed})
