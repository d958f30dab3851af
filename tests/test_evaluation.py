"""Who talks and who listens, measured on teams whose true values are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import Act, make_algorithm
from jaxmarl_comm.distributions import action_distribution
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation import evaluate_communication, play_all
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, play, team_actor
from jaxmarl_comm.evaluation.influence import NUM_MESSAGES, measure_influence
from jaxmarl_comm.evaluation.messages import message_statistics, message_tables, traffic
from jaxmarl_comm.evaluation.robustness import returns_with
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.report.table import evaluation_table

LN2, LN3 = np.log(2), np.log(3)
TASK = "simple_speaker_listener_v4"
KEY = jax.random.key(0)
SMALL = {"env.name": TASK, "num_envs": 4, "num_minibatches": 2, "hidden_dim": 8, "eval_episodes_mpe2": 0}
CUT = {"comm.route": "matrix", "comm.route_matrix": [[0, 0], [0, 0]]}
NOBODY_HEARS = {**SMALL, **CUT}


def team_of(changes, num_seeds=2, loudness=30.0):
    """(cfg, env, algorithm, teams) with untrained networks, their weights enlarged so that everything matters."""
    cfg = default_cfg().replace({**SMALL, "eval_episodes": 64, **changes})
    env = make_env(cfg.env.name, **cfg.env.arguments)
    algorithm = make_algorithm(cfg, env)
    seeds = jax.random.split(KEY, num_seeds)
    states = jax.jit(jax.vmap(algorithm.init, out_axes=algorithm.state_axes))(seeds)
    teams = jax.vmap(algorithm.team, in_axes=(algorithm.state_axes,))(states)
    loud = {
        name: jax.tree.map(lambda x, name=name: x * (loudness if name.endswith("_act") else 3.0), layer)
        for name, layer in teams.params["params"].items()
    }
    return cfg, env, algorithm, teams._replace(params={"params": loud})


def scripted(say, follow=50.0, hears=True):
    """(cfg, env, algorithm, teams) of one seed: the speaker sends say(key, goal) in 0..2, one-hot.

    The listener makes the move of that number, with log-odds `follow`, if it hears.
    """
    cfg = default_cfg().replace({**SMALL, "comm.message_dim": 3})
    env = make_env(TASK)

    def act(team, key, view, greedy, intervene):
        goal = view.obs["speaker"][:, 0].argmax(axis=-1)
        word = jax.nn.one_hot(say(key, goal), 3)
        packets = jnp.zeros((len(goal), 2, 4)).at[:, 0].set(jnp.concatenate([word, jnp.ones((len(goal), 1))], axis=-1))
        heard = intervene(packets)[:, 0, :3] * hears
        logits = jnp.pad(follow * heard, ((0, 0), (0, 2)))[:, None]
        distributions = {
            "speaker": action_distribution(jnp.zeros((len(goal), 1, 0)), {}, False),
            "listener": action_distribution(logits, {"move": 5}, False),
        }
        actions = {
            "speaker": jnp.zeros((len(goal), 1), int),
            "listener": distributions["listener"].mode()["move"],
        }
        return Act(actions, packets[..., :-1], packets[..., None, :, -1], (), distributions)

    algorithm = make_algorithm(cfg, env)._replace(
        act=act, view=lambda batch, state, obs, memory: algorithm_view(obs, memory), memory=lambda num_envs: ()
    )
    return cfg, env, algorithm, {"nothing": jnp.zeros(1)}


def algorithm_view(obs, memory):
    from jaxmarl_comm.algorithms import View

    return View(obs, None, memory)


def perfect(key, goal):
    return goal


def one_bit(key, goal):
    return jnp.minimum(goal, 1)


def babble(key, goal):
    return jax.random.randint(key, goal.shape, 0, 3)


def coin(key, goal):
    return jax.random.randint(key, goal.shape, 0, 2)


def statistics(say, **listener):
    """Name -> value of what a scripted team's messages tell."""
    cfg, env, algorithm, teams = scripted(say, **listener)
    episodes = play_all(cfg, Batch(env, 3000), algorithm, teams, KEY)["greedy"]
    return {name: float(value[0]) for name, value in message_statistics(cfg, env, episodes).items()}


def influence(team, num_envs=128):
    cfg, env, algorithm, teams = team
    return measure_influence(cfg, Batch(env, num_envs), algorithm, teams, KEY)


def test_a_perfect_code():
    found = statistics(perfect)
    assert found["message_information"] == pytest.approx(LN3, abs=0.01)
    assert found["message_entropy"] == pytest.approx(LN3, abs=0.01)
    assert found["context_independence"] == 1
    assert found["instantaneous_coordination"] == pytest.approx(LN3, abs=0.01)  # the goal, and so the word, stays
    assert found["message_rms"] == pytest.approx(np.sqrt(1 / 3))
    assert np.isnan(found["speaker_consistency"])  # the speaker can do nothing


def test_a_code_of_one_bit():
    found = statistics(one_bit)
    assert found["message_information"] == pytest.approx(LN3 - 2 / 3 * LN2, abs=0.02)
    assert found["context_independence"] == pytest.approx(2 / 3, abs=0.02)


def test_a_babbler_is_followed_but_tells_nothing():
    found = statistics(babble)
    assert found["message_entropy"] == pytest.approx(LN3, abs=0.01)
    assert found["message_information"] < 0.01
    assert found["context_independence"] == pytest.approx(1 / 9, abs=0.02)
    assert found["instantaneous_coordination"] < 0.01  # what is done at the next step follows from the next word
    assert influence(scripted(babble)).causal[0] > 0.9


def test_causal_influence_of_one_of_two_equally_frequent_words():
    """ln 2, less what K samples miss of it: the mean entropy of the share of either word among K."""
    found = float(influence(scripted(coin), num_envs=512).causal[0])
    share = np.arange(NUM_MESSAGES + 1) / NUM_MESSAGES
    entropies = -sum(p * np.log(np.where(p > 0, p, 1)) for p in (share, 1 - share))
    expected = binom.pmf(np.arange(NUM_MESSAGES + 1), NUM_MESSAGES, 0.5) @ entropies
    assert found == pytest.approx(expected, abs=0.005)
    assert LN2 - 1.2 / (2 * NUM_MESSAGES) < found < LN2


def test_positive_listening_by_hand():
    """Hearing nothing, the listener is uniform over 5 moves; hearing a word, it takes one at odds e^2 to 1."""
    found = influence(scripted(perfect, follow=2.0))
    p = np.exp([2.0, 0, 0, 0, 0]) / (np.exp(2) + 4)
    assert found.listening_muted[0] == pytest.approx(np.sum(p * np.log(5 * p)), abs=1e-5)
    other_word = 2 * (p[0] - p[1])  # KL to the distribution under another word, which two in three goals bring
    assert found.listening_shuffled[0] == pytest.approx(2 / 3 * other_word, rel=0.03)


def test_a_monologue_tells_everything_to_nobody():
    team = scripted(perfect, hears=False)
    assert statistics(perfect, hears=False)["message_information"] == pytest.approx(LN3, abs=0.01)
    assert [float(x[0]) for x in influence(team)] == [0, 0, 0]


@pytest.mark.parametrize("aggregate", ["mean", "attention"])
def test_over_a_cut_channel_influence_is_exactly_zero(aggregate):
    for x in influence(team_of({**CUT, "comm.aggregate": aggregate}), num_envs=37):
        np.testing.assert_array_equal(x, [0, 0])
    for x in influence(team_of({"comm.aggregate": aggregate}), num_envs=37):
        assert (x > 1e-4).all()


@pytest.mark.parametrize(
    ("changes", "has_causal"),
    [
        ({"comm.preset": "speech", "env.name": "simple_reference_v3"}, True),
        ({"comm.preset": "speech", "env.continuous_actions": True}, False),
        ({"comm.preset": "dial"}, True),  # a step late
        ({"env.name": "simple_crypto_v3", "comm.preset": "speech"}, True),  # where nobody moves
    ],
)
def test_listeners_to_words_and_to_late_messages(changes, has_causal):
    found = influence(team_of(changes), num_envs=32)
    assert found.listening_muted.min() > 0
    assert (found.causal is not None and found.causal.min() > 0) if has_causal else found.causal is None


@pytest.mark.parametrize("changes", [{"comm.preset": "ic3net"}, {"comm.aggregate": "attention", "comm.noise": 0.3}])
def test_losing_every_message_is_being_muted(changes):
    cfg, env, algorithm, teams = team_of(changes, num_seeds=1)
    batch, team = Batch(env, 32), jax.tree.map(lambda x: x[0], teams)
    found = returns_with(cfg, batch, teams, KEY)
    actor = team_actor(batch, algorithm, team, jnp.array(True))
    clear, muted = (
        play(batch, actor, KEY, treatment=jnp.array(how), hears_words=False).returns for how in (CLEAR, MUTED)
    )
    np.testing.assert_allclose(found["loss"]["1.0"][0], muted, atol=1e-4)
    assert (np.abs(clear - muted) > 1e-2).any()
    assert (np.abs(found["noise"]["2.0"][0] - clear) > 1e-2).any()


@pytest.mark.parametrize(
    ("changes", "messages", "bits"),
    [
        ({"comm.discretise": "quantise", "comm.message_dim": 3}, 25, 25 * 2 * 3),
        ({"comm.rounds": 2, "comm.message_dim": 3}, 50, 50 * 32 * 3),
        ({"comm.gate": "every_n", "comm.gate_every": 5, "comm.message_dim": 1}, 5, 5 * 32),
        ({"comm.preset": "speech"}, 25, 25 * np.log2(3)),  # of the speaker alone
    ],
)
def test_traffic(changes, messages, bits):
    cfg, env, algorithm, teams = team_of(changes, num_seeds=1)
    found = traffic(cfg, env, play_all(cfg, Batch(env, 4), algorithm, teams, KEY)["greedy"])
    np.testing.assert_allclose(found[0], messages)
    np.testing.assert_allclose(found[1], bits, rtol=1e-6)


def test_the_table_counts_every_message(tmp_path):
    cfg, env, algorithm, teams = scripted(one_bit)
    episodes = play_all(cfg, Batch(env, 300), algorithm, teams, KEY)["greedy"]
    tables = message_tables(cfg, env, episodes)
    goals = np.bincount(episodes.goals[0, :, 0], minlength=3)
    assert tables == {
        "speaker_0": {
            "symbols": [1, 0],
            "counts": [[0, goals[1], goals[2]], [goals[0], 0, 0]],
            "messages": [[0, 1, 0], [1, 0, 0]],
        }
    }
    plot_messages(tables, tmp_path / "messages.png")
    assert (tmp_path / "messages.png").read_bytes().startswith(b"\x89PNG")


def test_a_silent_team_has_no_messages_to_measure():
    cfg, env, algorithm, teams = team_of({"comm.preset": "none", "env.name": "simple_reference_v3"}, num_seeds=1)
    greedy = play_all(cfg, Batch(env, 4), algorithm, teams, KEY)["greedy"]
    found = evaluate_communication(cfg, env, algorithm, teams, greedy, lambda line: None)
    assert found.pop("message_table") == found.pop("return_with_noise") == found.pop("return_with_loss") == {}
    assert all(value["mean"] is None for value in found.values())


def test_the_table_has_a_line_for_what_is_defined():
    nothing, something = {"mean": None, "low": None, "high": None}, {"mean": 0.5, "low": 0.4, "high": 0.6}
    cfg, env, algorithm, teams = team_of({}, num_seeds=1)
    greedy = play_all(cfg, Batch(env, 64), algorithm, teams, KEY)["greedy"]
    found = evaluate_communication(cfg, env, algorithm, teams, greedy, lambda line: None)
    rest = dict.fromkeys(["return", "return_sampled", "return_muted", "return_shuffled", "score"], something)
    rest |= dict.fromkeys(["return_mpe2", "success", "final_distance"], nothing)
    text = evaluation_table(
        {**rest, **found, "baselines": {}, "protocol_fraction": None, "interval_over": "seeds"}
    ).splitlines()
    assert not any("mpe2" in line for line in text)
    assert sum("return with loss 0.25, 0.5, 0.75, 1.0" in line for line in text) == 1
    assert sum("causal influence" in line for line in text) == 1
