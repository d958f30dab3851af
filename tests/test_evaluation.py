"""Who talks and who listens, measured on teams whose true values are known."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import Act, View, make_algorithm
from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.comm.mailbox import Packet
from jaxmarl_comm.comm.metrics import entropy
from jaxmarl_comm.distributions import action_distribution
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.task import GOOD
from jaxmarl_comm.evaluation.communication import speaking
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, SHUFFLED, Actor, intervention, play, team_actor
from jaxmarl_comm.evaluation.influence import NUM_MESSAGES, influence_meter
from jaxmarl_comm.evaluation.messages import message_statistics, message_tables, traffic
from jaxmarl_comm.evaluation.plays import player
from jaxmarl_comm.evaluation.robustness import on_bad_channel
from jaxmarl_comm.evaluation.streams import meter_by_step
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.scripted.places import place_takers
from learners import lively_teams

LN2, LN3 = np.log(2), np.log(3)
TASK = "simple_speaker_listener_v4"
KEY = jax.random.key(0)
CUT = {"comm.route": "matrix", "comm.route_matrix": [[0, 0], [0, 0]]}


# Scripted teams on speaker_listener: the speaker sends one of three words over the channel, and the listener makes the
# move of that number, with `odds` (logarithmic) against any other. They are evaluated all at once, each as a seed.

SPEAKERS = {  # (key, goal, time) -> word; -1 for none
    "perfect": lambda key, goal, t: goal,
    "one bit": lambda key, goal, t: jnp.minimum(goal, 1),
    "babbler": lambda key, goal, t: jax.random.randint(key, goal.shape, 0, 3),
    "coin": lambda key, goal, t: jax.random.randint(key, goal.shape, 0, 2),
    "shifting": lambda key, goal, t: (goal + t) % 3,
    "once": lambda key, goal, t: jnp.where(t == 0, goal, -1),
}
TEAMS = {  # (speaker, odds, whether the listener hears)
    "perfect": ("perfect", 50.0, 1.0),
    "one bit": ("one bit", 50.0, 1.0),
    "babbler": ("babbler", 50.0, 1.0),
    "coin": ("coin", 50.0, 1.0),
    "hesitant": ("perfect", 2.0, 1.0),
    "monologue": ("perfect", 50.0, 0.0),
    "shifting": ("shifting", 50.0, 1.0),
    "once": ("once", 50.0, 1.0),
    "broken": ("perfect", np.nan, 1.0),
}


def scripted_act(team, key, view, greedy, intervene):
    speaker, odds, hears = team
    goal, clock = view.obs["speaker"][:, 0].argmax(axis=-1), view.memory
    word = jax.lax.switch(speaker, list(SPEAKERS.values()), key, goal, clock)
    message = jax.nn.one_hot(word, 3) + 0 * odds  # of a team that has diverged, not a number
    silence = Packet(jnp.zeros((len(goal), 2, 3)), jnp.zeros((len(goal), 2)))
    packets = Packet(silence.message.at[:, 0].set(message), silence.sent.at[:, 0].set(word >= 0))
    logits = odds * hears * jnp.pad(intervene(packets).message[:, 0], ((0, 0), (0, 2)))
    distributions = {
        "speaker": action_distribution(jnp.zeros((len(goal), 1, 0)), {}, "categorical"),
        "listener": action_distribution(logits[:, None], {"move": 5}, "categorical"),
    }
    actions = {"speaker": jnp.zeros((len(goal), 1), int), "listener": distributions["listener"].mode()["move"]}
    return Act(actions, packets.message, packets.sent[:, None], clock + 1, distributions)


@cache
def scripted():
    """(cfg, env, algorithm, teams), one seed for each of TEAMS."""
    cfg = default_cfg().replace({"env.name": TASK, "comm.message_dim": 3})
    env = make_env(TASK)
    algorithm = make_algorithm(cfg, env)._replace(
        act=scripted_act,
        view=lambda batch, state, obs, memory: View(obs, None, memory),
        memory=lambda num_envs: jnp.zeros(num_envs, int),
    )
    speakers, odds, hears = zip(*TEAMS.values(), strict=True)
    numbers = [list(SPEAKERS).index(name) for name in speakers]
    return cfg, env, algorithm, (jnp.array(numbers), jnp.array(odds), jnp.array(hears))


def greedy_episodes(team, num_envs, treatment=CLEAR):
    """Of all seeds."""
    _, env, algorithm, teams = team
    batch = Batch(env, num_envs)

    def of_seed(team):
        actor = team_actor(batch, algorithm, team, jnp.array(True))
        return play(batch, actor, KEY, treatment=jnp.array(treatment), hears_words=False)

    return jax.device_get(jax.jit(lambda teams: jax.lax.map(of_seed, teams))(teams))


@cache
def scripted_episodes():
    return greedy_episodes(scripted(), 3000)


@cache
def scripted_statistics():
    cfg, env, _, _ = scripted()
    return message_statistics(cfg, env, scripted_episodes())


def statistics(name):
    """What the messages of one of TEAMS tell."""
    return {measure: values[list(TEAMS).index(name)] for measure, values in scripted_statistics().items()}


def influence(team, num_envs):
    cfg, env, algorithm, teams = team
    return influence_meter(cfg, Batch(env, num_envs), algorithm, KEY)(teams)


@cache
def scripted_influence():
    return influence(scripted(), 512)


def influence_on(name):
    """Influence in one of TEAMS."""
    return jax.tree.map(lambda values: float(values[list(TEAMS).index(name)]), scripted_influence())


@cache
def scripted_streams():
    cfg, env, algorithm, teams = scripted()
    return meter_by_step(cfg.replace(eval_episodes=600), env, algorithm, KEY)(teams)


def told_by_step(name):
    """(over all steps, at each step) in one of TEAMS."""
    return [values[list(TEAMS).index(name)] for values in scripted_streams()]


def test_what_is_noted_happened_before_the_end():
    """Of episodes that end early, too: who acts says at each step how many there were."""
    env = make_env("simple_spread_v3", N=1, terminate_on_success=True)
    moves = place_takers(env, GOOD)

    def act(key, state, obs, clock, intervene):
        return Act(moves(key, state, obs), clock[:, None, None], jnp.ones((len(clock), 1, 1)), clock + 1, {})

    actor = Actor(act, memory=jnp.zeros)
    found = play(Batch(env, 4000), actor, KEY, treatment=jnp.array(CLEAR), hears_words=False, sight=True)
    noted, steps = found.messages[:, 0, 0], found.sight.steps
    assert len(set(steps.tolist())) > 10 and (noted < steps).all()
    assert (found.followed == (noted + 1 < steps)).all()
    places = (noted + 0.5) / steps
    assert float(places.mean()) == pytest.approx(0.5, abs=0.02)
    for length in (4, 9):  # each step of them is noted as often
        shares = np.bincount(noted[steps == length].astype(int), minlength=length) / (steps == length).sum()
        np.testing.assert_allclose(shares, 1 / length, atol=5 * (1 / length / (steps == length).sum()) ** 0.5)


def test_a_perfect_code():
    found = statistics("perfect")
    assert found["message_information"] == pytest.approx(LN3, abs=0.01)
    assert found["message_entropy"] == pytest.approx(LN3, abs=0.01)
    assert found["context_independence"] == 1
    assert found["instantaneous_coordination"] == pytest.approx(LN3, abs=0.01)  # the goal, and so the word, stays
    assert found["message_rms"] == pytest.approx(np.sqrt(1 / 3))
    assert np.isnan(found["speaker_consistency"])  # the speaker can do nothing


def test_a_code_of_one_bit():
    found = statistics("one bit")
    assert found["message_information"] == pytest.approx(LN3 - 2 / 3 * LN2, abs=0.02)
    assert found["context_independence"] == pytest.approx(2 / 3, abs=0.02)


def test_a_babbler_is_followed_but_tells_nothing():
    found = statistics("babbler")
    assert found["message_entropy"] == pytest.approx(LN3, abs=0.01)
    assert found["message_information"] < 0.01
    assert found["context_independence"] == pytest.approx(1 / 9, abs=0.02)
    assert found["instantaneous_coordination"] < 0.01  # what is done at the next step follows from the next word
    assert influence_on("babbler").causal_influence > 1
    assert told_by_step("babbler")[0] < 0.005


def test_a_monologue_tells_everything_to_nobody():
    assert statistics("monologue")["message_information"] == pytest.approx(LN3, abs=0.01)
    assert influence_on("monologue") == (0,) * 7


def test_causal_influence_of_two_equally_frequent_words():
    """ln 2, less what K samples miss of it: the mean entropy of the share of either word among K."""
    found = influence_on("coin").causal_influence
    share = np.arange(NUM_MESSAGES + 1) / NUM_MESSAGES
    entropies = -sum(p * np.log(np.where(p > 0, p, 1)) for p in (share, 1 - share))
    assert found == pytest.approx(binom.pmf(np.arange(NUM_MESSAGES + 1), NUM_MESSAGES, 0.5) @ entropies, abs=0.005)
    assert LN2 - 1.2 / (2 * NUM_MESSAGES) < found < LN2


def test_positive_listening_by_hand():
    """Hearing nothing, the listener is uniform over 5 moves; hearing a word, it takes one at odds of e^2 to 1."""
    found = influence_on("hesitant")
    p, uniform = np.exp([2.0, 0, 0, 0, 0]) / (np.exp(2) + 4), np.full(5, 1 / 5)
    assert found.listening_tv_muted == pytest.approx(p[0] - 1 / 5, abs=1e-5)
    assert found.listening_js_muted == pytest.approx(js(p, uniform), abs=1e-5)
    assert found.listening_changed_muted == pytest.approx(2 / 3, abs=0.05)  # of three words, the first is the default
    # Two in three others have another word.
    assert found.listening_tv_shuffled == pytest.approx(2 / 3 * (p[0] - p[1]), rel=0.05)
    assert found.listening_js_shuffled == pytest.approx(2 / 3 * js(p, np.roll(p, 1)), rel=0.05)
    assert found.listening_changed_shuffled == pytest.approx(2 / 3, rel=0.05)


def js(p, q):
    """Jensen-Shannon divergence: half the KL divergences from the mean of both."""
    return (np.sum(p * np.log(2 * p / (p + q))) + np.sum(q * np.log(2 * q / (p + q)))) / 2


def test_positive_listening_does_not_measure_how_sure_a_listener_is():
    found = influence_on("perfect")
    assert found.listening_tv_shuffled == pytest.approx(found.listening_changed_shuffled, abs=1e-6)
    assert found.listening_js_shuffled == pytest.approx(LN2 * found.listening_changed_shuffled, abs=1e-5)


def test_codes_that_change_with_time_or_are_rarely_used_are_not_diluted():
    for name in ("shifting", "perfect"):
        total, curve = told_by_step(name)
        assert total == pytest.approx(LN3, abs=0.01)
        np.testing.assert_allclose(curve, LN3, atol=0.01)
    assert statistics("shifting")["message_information"] < 0.01
    total, curve = told_by_step("once")
    assert total == curve[0] == pytest.approx(LN3, abs=0.01)
    assert np.isnan(curve[1:]).all()
    assert statistics("once")["message_information"] < 0.1


def test_a_seed_whose_messages_are_not_finite_is_unknown_alone():
    assert np.isnan([*statistics("broken").values()]).all()
    assert np.isnan([*influence_on("broken"), told_by_step("broken")[0]]).all()


def test_shuffled_messages_are_those_of_one_other_episode():
    treat = intervention(jnp.array(SHUFFLED), KEY, 12)
    stream = jnp.arange(12)
    others = np.asarray(treat(stream))
    assert sorted(others) == list(stream)
    assert (others != stream).all()
    np.testing.assert_array_equal(treat(stream + 100), others + 100)


def test_a_shuffled_listener_follows_one_wrong_goal_to_the_end():
    episodes = greedy_episodes(scripted(), 100, SHUFFLED)
    moves, next_moves = (
        x["listener"][list(TEAMS).index("perfect"), :, 0] for x in (episodes.actions, episodes.next_actions)
    )
    followed = episodes.followed[0]
    np.testing.assert_array_equal(moves[followed], next_moves[followed])
    assert np.mean(moves == episodes.goals[0, :, 0]) == pytest.approx(1 / 3, abs=0.15)


def test_the_table_counts_every_message(tmp_path):
    cfg, env, _, _ = scripted()
    one_bit = list(TEAMS).index("one bit")
    episodes = jax.tree.map(lambda x: x[one_bit:], scripted_episodes())
    tables = message_tables(cfg, env, episodes)
    goals = np.bincount(episodes.goals[0, :, 0], minlength=3)
    assert tables == {
        "speaker_0": {
            "symbols": [1, 0],
            "counts": [[0, goals[1], goals[2]], [goals[0], 0, 0]],
            "messages": [[0, 1, 0], [1, 0, 0]],
            "n": 3000,
            "information": pytest.approx(entropy(np.minimum(episodes.goals[0, :, 0], 1))),
        }
    }
    plot_messages(tables, tmp_path / "messages.png")
    assert (tmp_path / "messages.png").read_bytes().startswith(b"\x89PNG")


# Networks.


def team_of(changes, num_seeds=2):
    """(cfg, env, algorithm, teams) with networks in which everything matters."""
    small = {"env.name": TASK, "num_envs": 4, "num_minibatches": 2, "hidden_dim": 8, "eval_episodes": 16}
    cfg = default_cfg().replace({**small, "eval_episodes_reference": 0, **changes})
    env = cfg.make_env()
    learner = Mappo(cfg, env)
    return cfg, env, make_algorithm(cfg, env), lively_teams(learner, range(num_seeds), size=1.0)


def test_over_a_cut_channel_influence_is_exactly_zero():
    np.testing.assert_array_equal(influence(team_of({"comm.aggregate": "attention", **CUT}), 37), 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"comm.preset": "speech", "env.continuous_actions": True},
        {"comm.preset": "dial"},  # a step late
        {"env.name": "simple_crypto_v3", "comm.preset": "speech"},  # where nobody moves
    ],
)
def test_listeners_to_words_and_to_late_messages(changes):
    found = influence(team_of(changes), 32)
    assert min(x.max() for x in found[:4]) > 0
    assert max(x.max() for x in found[:6]) <= 1
    assert (found.causal_influence is None) == ("env.continuous_actions" in changes)
    assert found.causal_influence is None or found.causal_influence.max() > 0


def test_losing_every_message_is_being_muted():
    changes = {"comm.preset": "ic3net", "comm.aggregate": "attention", "comm.noise": 0.3}
    cfg, env, algorithm, teams = team_of(changes, num_seeds=1)
    batch, team = Batch(env, 32), jax.tree.map(lambda x: x[0], teams)
    on_bad = on_bad_channel(cfg, batch, KEY)
    actor = team_actor(batch, algorithm, team, jnp.array(True))
    treated = jax.jit(lambda how: play(batch, actor, KEY, treatment=how, hears_words=False).returns)
    clear, muted = treated(jnp.array(CLEAR)), treated(jnp.array(MUTED))
    np.testing.assert_allclose(on_bad(teams, "loss", 1.0)[0], muted, atol=1e-4)
    assert (np.abs(clear - muted) > 1e-2).any()
    assert (np.abs(on_bad(teams, "noise", 2.0)[0] - clear) > 1e-2).any()


def test_messages_are_counted_where_they_are_sent():
    channel = {"comm.rounds": 2, "comm.gate": "every_n", "comm.gate_every": 5, "comm.message_dim": 1}
    cfg, env, algorithm, teams = team_of(channel, num_seeds=1)
    messages, bits = traffic(cfg, env, player(cfg, Batch(env, 4), algorithm, KEY)(teams, "greedy"))
    np.testing.assert_array_equal(messages, 2 * 25 / 5)
    np.testing.assert_array_equal(bits, 32 * messages)


def test_a_silent_team_has_no_messages_to_measure():
    cfg, env, algorithm, teams = scripted()
    silent = cfg.replace({"comm.preset": "none"})
    assert message_tables(silent, env, scripted_episodes()) == {}
    assert meter_by_step(silent, env, algorithm, KEY)(teams).message_information_by_step.size == 0
    assert all(value["mean"] is None for value in speaking(silent, env, scripted_episodes()).values())
