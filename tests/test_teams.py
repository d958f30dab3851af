"""Sides that compete learn each for itself: nothing of one team's loss moves another's parameters."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms.critics import Moment
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.algorithms.talk_losses import word_logits
from jaxmarl_comm.comm.channel import Channel, unchanged
from jaxmarl_comm.config import ConfigError, silent_control
from jaxmarl_comm.console import Console
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.mpe.simple_world_comm import SimpleWorldComm
from jaxmarl_comm.envs.mpe.task import ADVERSARY, GOOD
from jaxmarl_comm.evaluation.messages import speakers_of
from jaxmarl_comm.nets.params import by_team, together
from learners import lively, recorded

SMALL = {"num_envs": 4, "num_minibatches": 1, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 4}


@dataclass(frozen=True, kw_only=True)
class Overheard(SimpleWorldComm):
    """simple_world_comm, where the prey, too, hears what the leading adversary says."""

    def observe(self, state):
        seen = super().observe(state)
        word = jnp.broadcast_to(state.say[0], (self.num_good, self.world.dim_c))
        return seen | {"agent": jnp.concatenate([seen["agent"], word], axis=-1)}


def learner_of(task, **changes):
    if task == "overheard":
        return Mappo(default_cfg().replace({"env.name": "simple_world_comm_v3", **SMALL, **changes}), Overheard())
    cfg = default_cfg().replace({"env.name": task, **SMALL, **changes})
    return Mappo(cfg, make_env(task, **cfg.env.arguments))


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("simple_adversary_v3", {"comm.preset": "commnet", "comm.integrate_into": "both"}),
        ("simple_adversary_v3", {"comm.preset": "tarmac"}),
        ("simple_adversary_v3", {"comm.preset": "g2anet", "comm.gate": "learned", "comm.delay": 1}),
        ("simple_push_v3", {"comm.preset": "none"}),
        ("overheard", {"comm.preset": "none", "comm.speech": "differentiable"}),
    ],
)
def test_a_team_learns_from_its_own_loss_alone(task, changes):
    """What a team's advantages are moves it, and not the other; gradients are clipped team by team."""
    route = {"comm.route": "all"} if changes["comm.preset"] != "none" else {}
    learner = learner_of(task, **changes, **route)
    teams, state = np.array(learner.env.teams), lively(learner)
    traj = recorded(learner, state)

    @jax.jit
    def step(scales, traj):
        data, _, _ = learner.prepare(state, traj, state.rollout, jax.random.key(3))
        for name in ("advantages", "targets"):
            data = data._replace(**{name: getattr(data, name) * scales[teams]})
        (params, _), _ = learner.optimise(state, data, jax.random.key(4))
        return params

    before = step(np.ones(2), traj)
    for team in (GOOD, ADVERSARY):
        after = step(np.where(np.arange(2) == team, -1e4, 1.0), traj)
        for part in ("policy", "critic"):
            one, other = (by_team(learner.env, getattr(params, part)) for params in (before, after))
            jax.tree.map(np.testing.assert_array_equal, one[1 - team], other[1 - team])
            moved = jax.tree.map(lambda a, b: np.abs(np.subtract(a, b)).max(), one[team], other[team])
            assert max(jax.tree.leaves(moved)) > 1e-3


def test_the_listeners_own_team_does_learn_to_speak():
    """The control of the test above: within a team the gradient does pass, also where all hear all."""
    learner = learner_of("simple_adversary_v3", **{"comm.preset": "commnet", "comm.route": "all"})
    listener, state = learner.env.team_members[GOOD][0], lively(learner)
    traj = recorded(learner, state)

    @jax.jit
    def grads(scale):
        data, _, _ = learner.prepare(state, traj, state.rollout, jax.random.key(3))
        data = data._replace(advantages=jnp.zeros_like(data.advantages).at[..., listener].set(scale))
        silent = state.hparams._replace(ent_coef=jnp.zeros(()))
        found, _ = jax.grad(learner.loss, has_aux=True)(state.params, data, silent, learner.team(state).numbers)
        return found.policy["params"]

    found = grads(1.0)
    assert np.abs(found["agent_message_0"]["Dense_0"]["kernel"]).max() > 1e-6
    assert not np.any(found["adversary_message_0"]["Dense_0"]["kernel"])


def test_parameters_come_apart_by_team_and_together_again():
    learner = learner_of("simple_world_comm_v3", **{"comm.preset": "none"})
    params = lively(learner).params.policy
    parts = by_team(learner.env, params)
    groups = [{name.split("_")[0] for name in part["params"]} for part in parts]
    assert groups == [{"agent"}, {"adversary", "leadadversary"}]
    jax.tree.map(np.testing.assert_array_equal, together(parts), params)


def test_metrics_are_per_team_where_sides_compete():
    own = {"comm.preset": "none", "teams": {"adversary": {"lr": 1e-9}}}
    learner = learner_of("simple_push_v3", **own, rollout_len=25, num_minibatches=2)
    _, metrics = jax.jit(learner.update)(lively(learner))
    for measure in ("return", "entropy", "policy_loss", "value_loss", "approx_kl", "policy_grad_norm"):
        assert measure not in metrics
        assert metrics[f"{measure}_good"] != metrics[f"{measure}_adversary"], measure
    assert metrics["lr_adversary"] == jnp.float32(1e-9) < metrics["lr_good"]


def test_a_critic_hears_in_its_bootstrap_what_it_hears_in_training():
    """DIAL's bits are smooth and noisy in training: so are those that the value of a last observation goes by."""
    learner = learner_of(
        "simple_reference_v3", **{"comm.preset": "dial", "comm.delay": 0, "comm.integrate_into": "both"}
    )
    state = lively(learner)
    key, now, team = jax.random.key(5), state.rollout, learner.team(state)
    view = learner.actor.view(learner.batch, now.env, now.obs, now.memory.team)

    def value(training):
        drawn = learner.actor.meet(team, key, view, training=training)
        heard = learner.actor.step(team, view, drawn, unchanged).talk.heard
        moment = Moment(now.obs, {}, learner.critic.nothing_done(learner.cfg.num_envs), heard)
        return learner.critic.step(state.params.critic, moment, {})[0]

    found, smooth, in_bits = jax.device_get(
        jax.jit(lambda: (learner.values(state, key, now), value(training=True), value(training=False)))()
    )
    np.testing.assert_allclose(found, smooth, rtol=1e-5)
    assert np.abs(found - in_bits).max() > 1e-2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("comm.noise", "comm.noise cannot be varied: the config's channel has no stage that reads it"),
        ("comm.bits", "comm.bits cannot be varied"),
        ("comm.nois", "'comm.nois' cannot be varied; what can is clip_eps"),
        ("num_envs", "'num_envs' cannot be varied"),
    ],
)
def test_what_nothing_reads_cannot_be_varied(name, message):
    learner = learner_of("simple_reference_v3")
    with pytest.raises(ValueError, match=message):
        learner.vary(lively(learner), {name: 0.5})


@pytest.mark.parametrize(
    ("task", "changes", "expected"),
    [
        ("simple_v3", {}, False),
        ("simple_push_v3", {}, False),
        ("simple_push_v3", {"route": "nearest"}, False),
        ("simple_push_v3", {"route": "all"}, True),
        ("simple_spread_v3", {}, True),
        ("simple_spread_v3", {"preset": "none"}, False),
    ],
)
def test_whether_anyone_can_be_heard(task, changes, expected):
    cfg = default_cfg().replace({"env.name": task, **{f"comm.{name}": value for name, value in changes.items()}})
    assert Channel(cfg.comm, make_env(task).teams).reaches_anyone == expected


def test_a_channel_that_reaches_nobody_is_hinted_at(capsys, tmp_path):
    for task in ("simple_push_v3", "simple_spread_v3"):
        Console(()).header(default_cfg().replace({"env.name": task}), make_env(task), tmp_path)
    assert capsys.readouterr().out.count("hint: nobody can hear anybody in simple_push_v3 (comm.route: team)") == 1


def test_a_silent_team_may_keep_settings_of_the_channel():
    default_cfg().replace({"comm.route": "nearest"}).replace({"comm.preset": "none"})


def test_a_team_can_learn_otherwise():
    """By its own numbers and sharing; the other team learns as before."""
    own = {"adversary": {"lr": 1e-9, "ent_coef": 0.5, "reward_sharing": "individual"}, "good": {"critic_lr": 0.01}}
    learner, plain = (learner_of("simple_tag_v3", **{"comm.preset": "none", "teams": x}) for x in (own, {}))
    state, now = lively(learner), learner.present(lively(learner))
    np.testing.assert_allclose(now.lr, [5e-3, 1e-9])
    np.testing.assert_allclose(now.critic_lr, [0.01, 1e-9])  # a team's own lr is its critics', too
    apart = learner_of("simple_tag_v3", **{"comm.preset": "none", "teams": own, "critic_lr": 1e-3})
    np.testing.assert_allclose(apart.present(lively(apart)).critic_lr, [0.01, 1e-3])  # unless all critics have theirs
    np.testing.assert_allclose(now.ent_coef, [0.001, 0.5])
    np.testing.assert_array_equal(learner.sharing, [0, 0, 0, 1])  # three adversaries, and the prey
    traj = recorded(learner, state)

    @partial(jax.jit, static_argnums=0)
    def updated(learner, traj):
        data, _, _ = learner.prepare(state, traj, state.rollout, jax.random.key(3))
        return learner.optimise(state, data, jax.random.key(4))[0][0]

    after, usual = (updated(x, traj) for x in (learner, plain))
    before, moved, as_usual = (by_team(learner.env, x.policy) for x in (state.params, after, usual))
    largest = [
        [max(jax.tree.leaves(jax.tree.map(lambda a, b: np.abs(a - b).max(), x[team], y[team]))) for team in range(2)]
        for x, y in ((before, moved), (moved, as_usual))
    ]
    assert largest[0][ADVERSARY] < 1e-6 < 1e-3 < largest[0][GOOD]
    assert largest[1][GOOD] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teams": {"adversary": {"lr": 1e-3}}}, "teams has 'adversary', but the team that learns in .*: good"),
        ({"teams": {"good": {"gamma": 0.9}}}, "unknown key 'teams.good.gamma'"),
        ({"teams": {"good": {"reward_mix": 0.2}}}, "teams.good.reward_mix means nothing unless"),
    ],
)
def test_teams_that_cannot_learn_so_are_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)


@pytest.mark.parametrize("preset", ["commnet", "tarmac", "schednet", "neurcomm", "ic3net"])
def test_a_team_without_a_channel_neither_sends_nor_hears(preset):
    """Also where all could hear all; and the other team talks on as if nothing were."""
    changes = {"comm.preset": preset} | ({"comm.route": "all"} if preset == "commnet" else {})
    free, bound = (
        learner_of("simple_adversary_v3", env={"name": "simple_adversary_v3", "N": 3}, teams=teams, **changes)
        for teams in ({}, {"adversary": {"channel": False}})
    )
    state = lively(free)
    adversaries, good = (list(free.env.team_members[team]) for team in (ADVERSARY, GOOD))

    def second_step(learner):
        """For messages may be heard a step late."""
        team, view = learner.team(state), learner.view(state.rollout)
        for _ in range(2):
            circumstances = learner.actor.meet(team, jax.random.key(1), view, training=True)
            decision = learner.actor.step(team, view, circumstances, unchanged)
            view = view._replace(memory=learner.actor.after(view, circumstances, decision, {}))
        return decision.talk

    spoken, silent = jax.jit(lambda: (second_step(free), second_step(bound)))()
    for x in (*silent.packets, silent.heard):
        assert not np.any(np.take(x, adversaries, axis=2 if x is not silent.heard else 1))
    assert np.any(silent.heard[:, good])
    if preset != "commnet":  # where good agents had heard the adversary
        np.testing.assert_allclose(silent.heard[:, good], spoken.heard[:, good], atol=1e-6)
    assert speakers_of(bound.cfg, bound.env) == good


def test_a_silent_team_is_not_asked_to_signal():
    """What it would have said is sent to nobody, so that a loss on it would only bend what it makes of the world."""
    learner = learner_of(
        "simple_adversary_v3",
        **{"comm.preset": "gumbel", "comm.signalling_coef": 0.1, "teams": {"adversary": {"channel": False}}},
    )

    def logits(key):
        state = learner.init(key)
        decision = learner.actor.explore(
            learner.team(state), key, learner.view(state.rollout), state.rollout.env, learner.batch
        )[1]
        return [word_logits(learner.actor, team, decision) for team in (GOOD, ADVERSARY)]

    sizes = [x.size for x in jax.eval_shape(logits, jax.random.key(0))]
    assert sizes[GOOD] > 0 == sizes[ADVERSARY]


@pytest.mark.parametrize("speech", ["reinforced", "differentiable"])
def test_a_team_without_words_chooses_none(speech):
    teams = {"adversary": {"channel": False}}
    changes = {"comm.preset": "speech", "comm.speech": speech, "teams": teams}
    learner = learner_of("simple_world_comm_v3", **changes)
    if speech == "differentiable":  # there is nothing to pass a gradient on by, and all else is learned
        jax.eval_shape(learner.update, jax.eval_shape(learner.init, jax.random.key(0)))
    assert "say" not in {name for factors in learner.actor.factors.values() for name in factors}
    assert speakers_of(learner.cfg, learner.env) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"comm.preset": "none", "teams": {"adversary": {"channel": False}}}, "means nothing where nobody has one"),
        ({"teams": {team: {"channel": False} for team in ("good", "adversary")}}, "set comm.preset to none"),
        (
            {"env.name": "simple_crypto_v3", "comm.preset": "speech", "teams": {"adversary": {"channel": False}}},
            "all that adversary can do in simple_crypto_v3 is to speak",
        ),
    ],
)
def test_a_silence_that_cannot_be_is_said(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace({"env.name": "simple_adversary_v3", **changes})


def test_the_silent_control_of_half_a_silence_is_silence():
    cfg = default_cfg().replace({"env.name": "simple_adversary_v3", "teams": {"adversary": {"channel": False}}})
    assert silent_control(cfg).comm.preset == "none"
