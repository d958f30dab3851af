"""Who talks and who listens, measured on teams whose true values are known."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms import Act, View, make_algorithm
from jaxmarl_comm.comm.mailbox import Packet
from jaxmarl_comm.distributions import action_distribution
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.evaluation import evaluate_communication
from jaxmarl_comm.evaluation.episodes import CLEAR, MUTED, play, team_actor
from jaxmarl_comm.evaluation.influence import NUM_MESSAGES, measure_influence
from jaxmarl_comm.evaluation.messages import bits_per_message, message_statistics, message_tables, traffic
from jaxmarl_comm.evaluation.robustness import returns_with
from jaxmarl_comm.report.messages import plot_messages
from jaxmarl_comm.report.table import CURVES, LINES, evaluation_table

LN2, LN3 = np.log(2), np.log(3)
TASK = "simple_speaker_listener_v4"
KEY = jax.random.key(0)
CUT = {"comm.route": "matrix", "comm.route_matrix": [[0, 0], [0, 0]]}


# Scripted teams on speaker_listener: the speaker sends one of three words over the channel, and the listener makes the
# move of that number, with `odds` (logarithmic) against any other. They are evaluated all at once, each as a seed.

SPEAKERS = {
    "perfect": lambda key, goal: goal,
    "one bit": lambda key, goal: jnp.minimum(goal, 1),
    "babbler": lambda key, goal: jax.random.randint(key, goal.shape, 0, 3),
    "coin": lambda key, goal: jax.random.randint(key, goal.shape, 0, 2),
}
TEAMS = {  # (speaker, odds, whether the listener hears)
    "perfect": ("perfect", 50.0, 1.0),
    "one bit": ("one bit", 50.0, 1.0),
    "babbler": ("babbler", 50.0, 1.0),
    "coin": ("coin", 50.0, 1.0),
    "hesitant": ("perfect", 2.0, 1.0),
    "monologue": ("perfect", 50.0, 0.0),
}


def scripted_act(team, key, view, greedy, intervene):
    speaker, odds, hears = team
    goal = view.obs["speaker"][:, 0].argmax(axis=-1)
    word = jax.nn.one_hot(jax.lax.switch(speaker, list(SPEAKERS.values()), key, goal), 3)
    silence = Packet(jnp.zeros((len(goal), 2, 3)), jnp.zeros((len(goal), 2)))
    packets = Packet(silence.message.at[:, 0].set(word), silence.sent.at[:, 0].set(1))
    logits = odds * hears * jnp.pad(intervene(packets).message[:, 0], ((0, 0), (0, 2)))
    distributions = {
        "speaker": action_distribution(jnp.zeros((len(goal), 1, 0)), {}, False),
        "listener": action_distribution(logits[:, None], {"move": 5}, False),
    }
    actions = {"speaker": jnp.zeros((len(goal), 1), int), "listener": distributions["listener"].mode()["move"]}
    return Act(actions, packets.message, packets.sent[:, None], (), distributions)


@cache
def scripted():
    """(cfg, env, algorithm, teams), one seed for each of TEAMS."""
    cfg = default_cfg().replace({"env.name": TASK, "comm.message_dim": 3})
    env = make_env(TASK)
    algorithm = make_algorithm(cfg, env)._replace(
        act=scripted_act, view=lambda batch, state, obs, memory: View(obs, None, memory), memory=lambda num_envs: ()
    )
    speakers, odds, hears = zip(*TEAMS.values(), strict=True)
    numbers = [list(SPEAKERS).index(name) for name in speakers]
    return cfg, env, algorithm, (jnp.array(numbers), jnp.array(odds), jnp.array(hears))


def greedy_episodes(team, num_envs):
    """Of all seeds."""
    _, env, algorithm, teams = team
    batch = Batch(env, num_envs)

    def of_seed(team):
        actor = team_actor(batch, algorithm, team, jnp.array(True))
        return play(batch, actor, KEY, treatment=jnp.array(CLEAR), hears_words=False)

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
    return measure_influence(cfg, Batch(env, num_envs), algorithm, teams, KEY)


@cache
def scripted_influence():
    return influence(scripted(), 512)


def influence_on(name):
    """(listening muted, shuffled, causal influence) in one of TEAMS."""
    return [float(values[list(TEAMS).index(name)]) for values in scripted_influence()]


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
    assert influence_on("babbler")[2] > 1


def test_a_monologue_tells_everything_to_nobody():
    assert statistics("monologue")["message_information"] == pytest.approx(LN3, abs=0.01)
    assert influence_on("monologue") == [0, 0, 0]


def test_causal_influence_of_two_equally_frequent_words():
    """ln 2, less what K samples miss of it: the mean entropy of the share of either word among K."""
    found = influence_on("coin")[2]
    share = np.arange(NUM_MESSAGES + 1) / NUM_MESSAGES
    entropies = -sum(p * np.log(np.where(p > 0, p, 1)) for p in (share, 1 - share))
    assert found == pytest.approx(binom.pmf(np.arange(NUM_MESSAGES + 1), NUM_MESSAGES, 0.5) @ entropies, abs=0.005)
    assert LN2 - 1.2 / (2 * NUM_MESSAGES) < found < LN2


def test_positive_listening_by_hand():
    """Hearing nothing, the listener is uniform over 5 moves; hearing a word, it takes one at odds of e^2 to 1."""
    muted, shuffled, _ = influence_on("hesitant")
    p = np.exp([2.0, 0, 0, 0, 0]) / (np.exp(2) + 4)
    assert muted == pytest.approx(np.sum(p * np.log(5 * p)), abs=1e-5)
    assert shuffled == pytest.approx(2 / 3 * 2 * (p[0] - p[1]), rel=0.03)  # two in three others have another word


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
        }
    }
    plot_messages(tables, tmp_path / "messages.png")
    assert (tmp_path / "messages.png").read_bytes().startswith(b"\x89PNG")


# Networks.


def team_of(changes, num_seeds=2):
    """(cfg, env, algorithm, teams) with untrained networks, their weights enlarged so that everything matters."""
    small = {"env.name": TASK, "num_envs": 4, "num_minibatches": 2, "hidden_dim": 8, "eval_episodes": 16}
    cfg = default_cfg().replace({**small, "eval_episodes_mpe2": 0, **changes})
    env = make_env(cfg.env.name, **cfg.env.arguments)
    algorithm = make_algorithm(cfg, env)
    seeds = jax.random.split(KEY, num_seeds)
    states = jax.jit(jax.vmap(algorithm.init, out_axes=algorithm.state_axes))(seeds)
    teams = jax.vmap(algorithm.team, in_axes=(algorithm.state_axes,))(states)
    layers = teams.params["params"].items()
    scales = {name: 30.0 if name.endswith("_act") else 3.0 for name, _ in layers}
    loud = {name: jax.tree.map(lambda x, name=name: x * scales[name], layer) for name, layer in layers}
    return cfg, env, algorithm, teams._replace(params={"params": loud})


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
    assert found.listening_muted.min() > 0
    assert (found.causal is None) == ("env.continuous_actions" in changes)
    assert found.causal is None or found.causal.max() > 0


def test_losing_every_message_is_being_muted():
    changes = {"comm.preset": "ic3net", "comm.aggregate": "attention", "comm.noise": 0.3}
    cfg, env, algorithm, teams = team_of(changes, num_seeds=1)
    batch, team = Batch(env, 32), jax.tree.map(lambda x: x[0], teams)
    found = returns_with(cfg, batch, teams, KEY)
    actor = team_actor(batch, algorithm, team, jnp.array(True))
    treated = jax.jit(lambda how: play(batch, actor, KEY, treatment=how, hears_words=False).returns)
    clear, muted = treated(jnp.array(CLEAR)), treated(jnp.array(MUTED))
    np.testing.assert_allclose(found["loss"]["1.0"][0], muted, atol=1e-4)
    assert (np.abs(clear - muted) > 1e-2).any()
    assert (np.abs(found["noise"]["2.0"][0] - clear) > 1e-2).any()


@pytest.mark.parametrize(
    ("changes", "bits"),
    [
        ({"comm.discretise": "quantise", "comm.bits": 3, "comm.message_dim": 5}, 15),
        ({"comm.message_dim": 3}, 3 * 32),
        ({"comm.preset": "gumbel", "comm.message_dim": 8}, 3),
        ({"comm.preset": "speech", "env.name": "simple_reference_v3"}, np.log2(10)),
        ({"comm.preset": "speech", "env.continuous_actions": True}, 3 * 32),  # a vector of three numbers
    ],
)
def test_bits_of_a_message(changes, bits):
    cfg = default_cfg().replace({"env.name": TASK, **changes})
    assert bits_per_message(cfg, make_env(cfg.env.name, **cfg.env.arguments)) == pytest.approx(bits)


def test_messages_are_counted_where_they_are_sent():
    team = team_of({"comm.rounds": 2, "comm.gate": "every_n", "comm.gate_every": 5, "comm.message_dim": 1}, num_seeds=1)
    messages, bits = traffic(team[0], team[1], greedy_episodes(team, 4))
    np.testing.assert_array_equal(messages, 2 * 25 / 5)
    np.testing.assert_array_equal(bits, 32 * messages)


def test_a_silent_team_has_no_messages_to_measure():
    cfg, env, algorithm, teams = scripted()
    silent = cfg.replace({"comm.preset": "none"})
    found = evaluate_communication(silent, env, algorithm, teams, scripted_episodes(), lambda line: None)
    assert found.pop("message_table") == found.pop("return_with_noise") == found.pop("return_with_loss") == {}
    assert all(value["mean"] is None for value in found.values())


def test_the_report_has_a_line_for_what_is_defined():
    values = [{"mean": x, "low": x and x - 0.1, "high": x and x + 0.1} for x in (None, -8.25)]
    measures = dict.fromkeys(LINES, values[1]) | {"return_mpe2": values[0]}
    curves = {key: {"0.5": values[1], "1.0": values[1]} for key in CURVES}
    rest = {"baselines": {}, "protocol_fraction": None, "interval_over": "seeds"}
    lines = evaluation_table({**measures, **curves, **rest}).splitlines()
    assert len(lines) == 1 + len(LINES) - 1 + len(CURVES)
    assert not any("mpe2" in line for line in lines)
    assert lines[1].split() == ["return,", "greedy", "-8.250", "[-8.350,", "-8.150]"]
    assert lines[-1].split() == ["return", "with", "loss", "0.5,", "1.0", "-8.250,", "-8.250"]
