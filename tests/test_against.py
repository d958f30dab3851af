"""Tasks whose other side is scripted: what learns sees the same world, and a task of one team."""

import jax
import numpy as np
import pytest

from jaxmarl_comm import load_policy, train_wrapper
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.config import ConfigError, default_cfg
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.against import against
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.scripted import make_side
from learners import assert_fits_together, lively

TASKS = [
    ("simple_tag_v3", {"terminate_on_success": True}, "good", "evader"),
    ("simple_push_v3", {"continuous_actions": True}, "adversary", "told_adversary"),
    ("simple_crypto_v3", {}, "good", "one_time_pad"),
]


@pytest.mark.parametrize(("name", "arguments", "team", "script"), TASKS)
def test_the_world_is_the_task_s(name, arguments, team, script):
    """The same starts, and after a step the same state and rewards as where both sides are moved from outside."""
    task = make_env(name, **arguments)
    env = against(task, {team: script})
    theirs = task.team_names.index(team)
    own = [k for k, of in enumerate(task.teams) if of != theirs]
    assert env.agents == tuple(task.agents[k] for k in own)
    assert env.per_team("return") == ("return",) and set(env.teams) == {0}
    batch, whole = Batch(env, 5), Batch(task, 5)
    (state, first), (same, all_first) = jax.device_get(
        jax.jit(lambda key: (batch.reset(key), whole.reset(key)))(jax.random.key(0))
    )
    jax.tree.map(np.testing.assert_array_equal, state.task, same)
    for group, seen in first.obs.items():
        np.testing.assert_array_equal(seen, all_first.obs[group])
    kind = float if env.continuous_actions else int
    actions = {g: np.ones((5, len(w), *env.action_spaces[g].shape), kind) for g, w in env.groups.items()}
    alone = jax.tree.map(lambda a, x: x if a is None else x[0], env.state_axes, state, is_leaf=lambda a: a is None)

    @jax.jit
    def both():
        step_key = jax.random.key(1)
        moved, ts = batch.step(step_key, state, actions)
        script_key = jax.random.fold_in(jax.random.split(step_key, 5)[0], 1)
        moves = make_side(script, task, theirs)(script_key, same, all_first.obs)
        expected, all_ts = whole.step(step_key, same, {**actions, **moves})
        seen, all_seen = (batch.words(moved), batch.goals(moved)), (whole.words(expected), whole.goals(expected))
        one, _ = env.step(jax.random.split(step_key, 5)[0], alone, {g: x[0] for g, x in actions.items()})
        return (moved, ts.reward, seen), (expected, all_ts.reward, all_seen), one

    (moved, rewards, seen), (expected, all_rewards, all_seen), one = jax.device_get(both())
    jax.tree.map(np.testing.assert_array_equal, moved.task, expected)
    for found, of_all in zip((rewards, *seen), (all_rewards, *all_seen), strict=True):
        np.testing.assert_array_equal(found, of_all[:, own])
    jax.tree.map(lambda a, x, y: np.testing.assert_allclose(x, y if a is None else y[0], atol=1e-6),
                 env.state_axes, one, moved, is_leaf=lambda a: a is None)  # fmt: skip


def test_a_channel_within_a_side_fits_together():
    settings = {"env.name": "simple_tag_v3", "opponents": {"good": "evader"}, "num_envs": 8, "num_minibatches": 2}
    cfg = default_cfg().replace({**settings, "comm.preset": "commnet"})
    learner = Mappo(cfg, cfg.make_env())
    assert_fits_together(learner, lively(learner))


@pytest.mark.long
@pytest.mark.parametrize("preset", ["none", pytest.param("commnet", marks=pytest.mark.slow)])
def test_a_side_trains_alone_and_plays_anywhere(tmp_path, preset):
    """Only its own return is told; its policy takes its own observations; it is not judged in mpe2, which lacks it."""
    cfg = default_cfg().replace(
        {
            "env.name": "simple_tag_v3",
            "opponents": {"good": "evader"},
            "comm.preset": preset,
            "num_envs": 8,
            "num_minibatches": 2,
            "hidden_dim": 8,
            "num_iters": 2,
            "eval_interval": 0,
            "eval_episodes": 8,
        }
    )
    result = train_wrapper(cfg, tmp_path / "run")
    assert "return" in result.metrics[-1] and "entropy" in result.metrics[-1]
    assert result.evaluation["teams"] == ["adversary"] and result.evaluation["return_reference"]["mean"] is None
    policy = load_policy(result)
    seen = {agent: np.zeros(16, np.float32) for agent in ("adversary_0", "adversary_1", "adversary_2")}
    assert set(policy(seen)) == set(seen)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"opponents": {"adversary": "pursuer"}},
            "opponents has 'adversary', but the teams of simple_reference_v3 are",
        ),
        (
            {"env.name": "simple_tag_v3", "opponents": {"godo": "evader"}},
            "the teams of simple_tag_v3 are good, adversary.*did you mean 'good'",
        ),
        ({"env.name": "simple_tag_v3", "opponents": {"good": "pursuer"}}, "no scripted side 'pursuer' plays good"),
        (
            {"env.name": "simple_tag_v3", "opponents": {"good": "stay", "adversary": "stay"}},
            "opponents has good and adversary, so nobody is left to learn",
        ),
        ({"opponents": {"good": "stay"}}, "so nobody is left to learn in simple_reference_v3"),
    ],
)
def test_impossible_opponents_are_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)
