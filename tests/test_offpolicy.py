"""Learning from replay: targets, critics, policies and delays, by numbers that are known; and what learns at all."""

import json
import shutil
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg, resume, train_wrapper
from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.algorithms.maddpg import Maddpg
from jaxmarl_comm.algorithms.replay import Moment, Pool, Windows, size_in_bytes
from jaxmarl_comm.config import ConfigError
from jaxmarl_comm.envs import ENVS
from jaxmarl_comm.memory import needed_bytes
from learners import assert_fits_together, assert_learns, lively
from runs import EVOLVING, TINY

KEY = jax.random.key(0)
SMALL = {
    "algorithm": "matd3",
    "num_envs": 4,
    "hidden_dim": 8,
    "batch_size": 50,
    "buffer_size": 200,
    "replay_ratio": 2,
    "learning_delay": 0,
    "num_iters": 4,
}
PROBE = SMALL | {
    "comm.preset": "none",
    "rollout_len": 1,
    "batch_size": 4,
    "replay_ratio": 4,
    "reward_sharing": "individual",
}
EARLY = {"env.name": "simple_spread_v3", "env.terminate_on_success": True}
PROBES = ("Aim", "AimTold", "Constant", "Obey")


@pytest.fixture(autouse=True)
def probes(monkeypatch):
    for name in PROBES:
        monkeypatch.setitem(ENVS, name, f"probes:{name}")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"max_batch_size": 40}, "max_batch_size is 40, but batch_size is 50"),
        ({"max_replay_ratio": 1.5}, "max_replay_ratio is 1.5, but replay_ratio is 2"),
        ({"max_batch_size": 100, "evolution.ranges": {"batch_size": [50, 200]}}, "up to 200, .*: set max_batch_size"),
        ({"evolution.ranges": {"replay_ratio": [1, 2]}}, "goes up to 2, .*: set max_replay_ratio"),
        ({"evolution.ranges": {"critic_lr": [1e-5, 1e-4]}}, "members begin with 0.001: set critic_lr"),
        ({"learning_delay": 200, "evolution.evo_interval": 2, "log_interval": 2}, "has learned, after iteration 2"),
        ({"evolution.share_replay": True, "evolution.population_size": 3}, "a rollout, of each of 3 members"),
    ],
)
def test_what_has_no_room_to_evolve_is_told_in_one_line(changes, told):
    with pytest.raises(ConfigError, match=told):
        default_cfg().replace({**SMALL, "log_interval": 1, **EVOLVING, **changes})


def test_every_end_of_a_range_leaves_a_run_by_itself():
    """Whatever the members' batches: an update for each iteration at the least, as in their population."""
    room = {"max_batch_size": 200, "max_replay_ratio": 8, "evolution.random_start": True, "log_interval": 1}
    ranges = {"evolution.ranges": {"batch_size": [10, 200], "replay_ratio": [0.5, 8]}}
    cfg = default_cfg().replace({**SMALL, **EVOLVING, **room, **ranges})
    alone = [cfg.replace({"evolution": {}, **cfg.of_member({"batch_size": b, "replay_ratio": r})})
             for b in (10, 200) for r in (0.5, 8)]  # fmt: skip
    assert {(each.updates, each.windows) for each in alone} == {(cfg.updates, 200)}


def learner_of(**changes):
    cfg = default_cfg().replace(changes)
    return Maddpg(cfg, cfg.make_env())


def drawn(learner, state):
    """Windows as replay might give them, drawn by numpy; nothing is terminated."""
    shapes = jax.eval_shape(
        lambda kept: learner.replay.sample(Pool(kept), KEY, 1, learner.windows, learner.cfg.window), state.kept
    )
    rng = np.random.default_rng(0)
    size = lambda x: rng.uniform(0.1, 0.9, x.shape) if x.dtype.kind == "f" else np.zeros(x.shape)  # noqa: E731
    data = jax.tree.map(lambda x: size(x).astype(x.dtype), shapes)
    if "clock" in data.moments.circumstances:
        data.moments.circumstances["clock"] += np.arange(learner.cfg.window + 1, dtype=np.int32)
    return data


def assert_taught(learner):
    """No parameter is out of reach of its loss, all is finite, and a whole update fits together: to compile it takes
    twice as long.
    """
    state = lively(learner)
    state = state._replace(targets=state.params)

    @jax.jit
    def slopes(state, data):
        params, hparams = state.params, learner.present(state)
        wanted = learner.wanted(state.targets, data, state, hparams, KEY)
        of_policy = jax.grad(learner.policy_loss, has_aux=True)
        return (
            jax.grad(learner.critic_loss, has_aux=True)(params.critic, data, wanted),
            of_policy(params.policy, params.critic, data, state, hparams, KEY),
        )

    found = jax.device_get(slopes(state, drawn(learner, state)))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(found))
    assert all(x.any() for grads, _ in found for x in jax.tree.leaves(grads))
    assert_fits_together(learner, state)


class Reader:
    """Critics that read their values `[C, ..., N]` off the observations."""

    def of(self, params, obs, own, others):
        return jnp.moveaxis(obs["agent"], -1, 0)


def test_targets_are_those_reckoned_by_hand():
    """Three steps: one goes on, one is terminated, and one the clock ended, whose value counts all the same."""
    learner = learner_of(**PROBE, **{"env.name": "Aim", "gamma": 0.5})
    # Two agents' observations in the rows behind: two critics say 2 and 6 of one, 8 and 4 of the other.
    behind = jnp.array([[2.0, 6.0], [8.0, 4.0]])
    obs = jnp.stack([jnp.zeros((3, 2, 2)), jnp.broadcast_to(behind, (3, 2, 2))], axis=1)
    deeds = {"agent": jnp.full((3, 1, 2, 2), 0.5)}
    rewards, over = jnp.array([[[1.0, 10.0]], [[2.0, 20.0]], [[3.0, 30.0]]]), jnp.array([[False], [True], [False]])
    state = lively(learner)
    learner.critic, learner.windows = Reader(), 3
    data = Windows(Moment({"agent": obs}, {}), deeds, rewards, over)
    wanted = jax.jit(lambda state: learner.wanted(state.params, data, state, learner.present(state), KEY))(state)
    # r + gamma * min of the two critics, agent by agent
    np.testing.assert_allclose(wanted[:, 0], [[1 + 0.5 * 2, 10 + 0.5 * 4], [2, 20], [3 + 0.5 * 2, 30 + 0.5 * 4]])


def test_smoothing_moves_targets_actions_within_its_limits():
    learner = learner_of(**PROBE, **{"env.name": "Aim", "target_noise": 1.0, "target_noise_clip": 0.1})
    state = lively(learner, size=0.01)
    obs, memory = {"agent": jnp.zeros((200, 2, 2))}, learner.actor.memory(200)

    @jax.jit
    def tried(state):
        decision = learner.actor.replay(learner.team(state), {"agent": obs["agent"][:, None]}, {}, memory)
        return [learner.explorer.deeds(KEY, decision, 1.0, smoothing)["agent"] for smoothing in (0.0, 1.0)]

    plain, noisy = tried(state)
    moved = np.abs(np.asarray(noisy - plain))
    assert moved.max() == pytest.approx(0.1, abs=1e-6) and 0.04 < moved.mean() < 0.1


def test_critics_see_their_own_agent_first():
    """Observations and actions are numbers that say whose they are."""
    learner = learner_of(**SMALL, **{"env.name": "simple_speaker_listener_v4", "env.continuous_actions": True})
    env, critic = learner.env, learner.critic
    who = {"speaker": 1.0, "listener": 2.0}
    obs = {g: jnp.full((1, 1, env.obs_dims[g]), who[g]) for g in who}
    own, others = ({g: jnp.full((1, 1, env.action_spaces[g].dim), x * who[g]) for g in who} for x in (10, 100))
    found = {g: np.asarray(x[0, 0]) for g, x in critic.inputs(obs, own, others).items()}
    speaks, moves = env.action_spaces["speaker"].dim, env.action_spaces["listener"].dim
    assert found["speaker"].tolist() == [1] * 3 + [2] * 11 + [10] * speaks + [200] * moves
    assert found["listener"].tolist() == [2] * 11 + [1] * 3 + [20] * moves + [100] * speaks


@pytest.mark.parametrize(("preset", "others"), [("none", "current"), ("commnet", "replay")])
def test_a_listener_s_critic_teaches_its_speaker_over_the_channel_alone(preset, others):
    learner = learner_of(
        **SMALL,
        **{"env.name": "simple_speaker_listener_v4", "env.continuous_actions": True, "comm.preset": preset},
        logit_coef=0,
        others_actions=others,
    )
    state, whole = lively(learner), learner.critic.of_first
    listener = jnp.array([0.0, 1.0])  # of the two agents' values, only the second's counts
    learner.critic.of_first = lambda *given: whole(*given) * listener
    data = drawn(learner, state)
    loss = lambda policy: learner.policy_loss(policy, state.params.critic, data, state, learner.present(state), KEY)[0]  # noqa: E731
    lost, grads = jax.jit(jax.value_and_grad(loss))(state.params.policy)
    assert np.isfinite(lost)
    moved = {
        name.partition("_")[0]
        for name, x in grads["params"].items()
        if any(np.any(leaf) for leaf in jax.tree.leaves(x))
    }
    assert moved == ({"speaker", "listener"} if preset == "commnet" else {"listener"})


@cache
def after_update(**changes):
    """(updates of critics, the state after an iteration) where targets follow at once."""
    learner = learner_of(**PROBE | {"env.name": "Aim", "replay_ratio": 6, "tau": 1.0} | changes)
    return learner.cfg.updates, jax.jit(learner.update)(lively(learner))[0]


def test_policies_and_targets_move_once_for_several_steps_of_critics():
    updates, state = after_update(policy_freq=3)
    assert updates == 6
    counts = [int(part[0][1].count) for part in state.opt_state]  # of Adam, in the one team's chain
    assert counts == [2, 6]
    for now, target in zip(jax.tree.leaves(state.params), jax.tree.leaves(state.targets), strict=True):
        np.testing.assert_allclose(now, target, atol=1e-6)  # tau is 1, and policies had the last word


def test_matd3_without_its_three_parts_is_maddpg_bit_for_bit():
    parts = {"num_critics": 1, "target_noise": 0.0, "policy_freq": 1}
    settings = {"algorithm": "maddpg"}, parts, {"policy_freq": 3}
    found = [after_update(**changes)[1].params.policy for changes in settings]
    same = [jax.tree.leaves(jax.tree.map(np.array_equal, found[0], other)) for other in found[1:]]
    assert all(same[0]) and not all(same[1])


def learned(name, iterations, **changes):
    """The metrics of that many iterations."""
    settings = PROBE | {
        "num_envs": 64, "batch_size": 64, "buffer_size": 6400, "lr": 0.01, "hidden_dim": 16, "tau": 0.1,
        "num_iters": iterations, "learning_delay": 640, "lr_schedule": "constant", "env.name": name,
    }  # fmt: skip
    learner = learner_of(**settings | changes)
    run = jax.jit(lambda key: jax.lax.scan(lambda s, _: learner.update(s), learner.init(key), length=iterations))
    _, metrics = run(KEY)
    return {key: np.asarray(x) for key, x in metrics.items()}


@pytest.mark.parametrize(
    ("name", "changes", "least"),
    [
        ("Aim", {"expl_noise_end": 0.0}, -0.05),
        ("AimTold", {"comm.preset": "commnet", "algorithm": "maddpg", "expl_noise_end": 0.0}, -0.1),
        ("Obey", {"relaxation": "gapped", "logit_coef": 0.0}, 0.95),
    ],
)
def test_probes_are_solved(name, changes, least):
    """To say what the other must know is worth nothing without a channel, and all with it."""
    metrics = learned(name, 120, **changes)
    assert metrics["return"][-10:].mean() > least > metrics["return"][:10].mean() + 0.8
    assert metrics["value_mean"][-1] == pytest.approx(metrics["return"][-10:].mean(), abs=0.15)


def test_what_the_clock_ended_goes_on():
    """Every step pays 1 for ever, which is worth 1 / (1 - gamma), though each episode is one step long."""
    metrics = learned("Constant", 120, gamma=0.5)
    assert metrics["value_mean"][-1] == pytest.approx(2, abs=0.1)


KINDS = [
    {"env.continuous_actions": True, "env.name": "simple_adversary_v3", "comm.preset": "none", "exploration": "ou"},
    {"comm.preset": "dial", "net.memory": "gru", "relaxation": "soft", "share_params": False},
    {"comm.preset": "none", "comm.speech": "differentiable", "env.name": "simple_speaker_listener_v4"},
]


@pytest.mark.parametrize(
    ("changes", "how"),
    [
        (EARLY | {"comm.preset": "commnet"}, assert_learns),
        *((changes, assert_taught) for changes in KINDS),
        *(pytest.param(changes, assert_learns, marks=pytest.mark.slow) for changes in KINDS),
    ],
    ids=lambda x: "-".join(map(str, x.values())) if isinstance(x, dict) else x.__name__,
)
def test_every_kind_of_team_learns(changes, how):
    how(learner_of(**SMALL | changes))


@pytest.mark.slow
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize(
    "preset", ["speech", "commnet", "ic3net", "tarmac", "gumbel", "g2anet", "schednet", "neurcomm"]
)
def test_every_preset_learns(preset, continuous):
    """Of three agents where it is learned whom to attend to, as of one other there is no choice."""
    task = "simple_spread_v3" if preset == "tarmac" else "simple_reference_v3"
    own = {"env.name": task, "comm.preset": preset, "env.continuous_actions": continuous}
    assert_learns(learner_of(**SMALL, **own))


@pytest.mark.slow
def test_seeds_side_by_side_are_as_each_alone():
    learner = learner_of(**PROBE | {"env.name": "Aim", "learning_delay": 4})
    algorithm = make_algorithm(learner.cfg, learner.env)
    axes, one = algorithm.state_axes, jax.jit(learner.update)
    two, keys = jax.jit(jax.vmap(learner.update, (axes,), (axes, 0))), jax.random.split(KEY, 2)
    both, alone = jax.jit(jax.vmap(learner.init, out_axes=axes))(keys), jax.jit(learner.init)(keys[1])
    for _ in range(2):
        both, alone = two(both)[0], one(alone)[0]
    for of_both, of_one in zip(jax.tree.leaves(both.params), jax.tree.leaves(alone.params), strict=True):
        np.testing.assert_allclose(of_both[1], of_one, atol=1e-5)


@pytest.mark.long
def test_a_run_goes_on_bit_for_bit_with_its_replay(tmp_path, quick_evaluation):
    tiny = {name: value for name, value in TINY.items() if name != "num_minibatches"}
    own = {
        "env.name": "Aim",
        "num_iters": 4,
        "learning_delay": 4,
        "checkpoint_interval": 2,
        "log_interval": 1,
        "num_seeds": 2,
    }
    whole = train_wrapper(default_cfg().replace({**tiny, **PROBE, **own}), tmp_path / "run")
    assert whole.metrics[0]["critic_loss"] == [0, 0] and 0 not in whole.metrics[1]["critic_loss"]
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "4")
    assert json.dumps(resume(tmp_path / "run").metrics) == json.dumps(whole.metrics)


def test_sizes_are_known_before_a_frozen_opponent_is_loaded():
    cfg = default_cfg().replace({**SMALL, "env.name": "simple_push_v3", "opponents": {"adversary": "runs/other"}})
    kept = jax.eval_shape(Maddpg(cfg, cfg.make_env()).init, KEY).kept
    assert kept.rewards.shape == (2, 4, 25, 1)  # rollouts, episodes, steps, agents
    assert needed_bytes(cfg)["the replay"][0] == size_in_bytes(kept)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 300}, r"batch_size \(300\) is more than the 200 steps that buffer_size keeps"),
        ({"buffer_size": 50}, r"buffer_size \(50\) must hold a rollout: num_envs \* rollout_len = 100"),
        ({"learning_delay": 10**6}, "is as long as the run, of 400 env steps: nothing would be learned"),
        ({"exploration": "ou"}, "exploration means nothing where actions are discrete"),
        ({"relaxation": "soft", "env.continuous_actions": True}, "means nothing where actions are continuous"),
        ({"ou_dt": 0.1}, "ou_dt means nothing unless exploration is ou"),
        ({"rollout_len": 10}, r"keeps whole episodes: rollout_len \(10\) must be env.max_cycles \(25\)"),
        ({"batch_size": 20, "comm.preset": "dial"}, "must be at least the 25 steps of an episode"),
        ({"replay_ratio": 0.5}, r"gives no update per iteration: .* above 0\.5"),
        ({"target_noise_clip": 0.5}, "target_noise_clip means nothing where actions are discrete"),
        ({"target_noise_clip": 0.5, "target_noise": 0.0, "env.continuous_actions": True}, "where target_noise is 0"),
        ({"exploration": "ou", "ou_theta": 2.0, "env.continuous_actions": True}, "must be below 2, or the noise"),
        ({"log_agent_metrics": True}, "is a setting of mappo and ippo, not of matd3"),
        ({"net.critic_memory": "gru"}, "net.critic_memory must be none"),
        ({"net.last_step": True}, "net.last_step must be false: matd3's critics do not see"),
        ({"comm.integrate_into": "both"}, "comm.integrate_into must be policy"),
        ({"clip_eps": 0.2}, "'clip_eps' is a setting of mappo and ippo, not of matd3"),
        ({"O_U_NOISE": True}, "unknown key 'O_U_NOISE': here it is exploration: ou, or gaussian"),
        ({"MEMORY_SIZE": 3}, "unknown key 'MEMORY_SIZE': here it is buffer_size"),
        ({"LEARN_STEP": 3}, "unknown key 'LEARN_STEP': here it is replay_ratio: batch_size / learn_step"),
        ({**EARLY, "net.memory": "gru"}, "may end early, so matd3 learns from single steps"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        default_cfg().replace({**SMALL, **changes})
    assert "\n" not in str(error.value)
