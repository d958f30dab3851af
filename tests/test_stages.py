"""Each stage of the channel by hand-computed numbers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.comm import aggregate, corrupt, discretise, gate, regularise, route

KEY = jax.random.key(0)


def compiled(f, *arrays):
    """f of these arrays by one program, in numpy."""
    return jax.device_get(jax.jit(f)(*arrays))


def gradient(f, x):
    return compiled(jax.grad(lambda x: f(x).sum()), np.array(x, float))


# discretise


def test_not_a_rounding_error_of_the_soft_value_gets_through():
    soft = jax.random.normal(KEY, (1000,))
    assert set(np.asarray(discretise.straight_through(jnp.full(1000, 1 / 3), soft)).tolist()) == {np.float32(1 / 3)}


def test_binary():
    np.testing.assert_array_equal(compiled(discretise.binary, np.array([-3.0, -0.1, 0.2, 9.0])), [-1, -1, 1, 1])
    np.testing.assert_allclose(gradient(discretise.binary, [0.0, 1.0]), [1.0, 1 - np.tanh(1) ** 2], rtol=1e-6)


quantise = jax.jit(discretise.quantise)


@pytest.mark.parametrize(
    ("bits", "levels"), [(0, [0]), (1, [-1, 1]), (2, [-1, -1 / 3, 1 / 3, 1]), (3, np.linspace(-1, 1, 8))]
)
def test_quantise_sends_nothing_but_its_levels(bits, levels):
    sent = quantise(np.linspace(-4, 4, 1001), float(bits))
    np.testing.assert_allclose(np.unique(sent), levels, atol=1e-7)


def test_no_bits_carry_neither_value_nor_gradient():
    assert not gradient(lambda x: discretise.quantise(x, jnp.array(0.0)), [0.3, -2.0]).any()


def test_gumbel_words_are_one_hot_and_follow_their_probabilities():
    logits, draw = np.log([0.2, 0.5, 0.3]), np.random.default_rng(0).gumbel(size=(20_000, 1, 3))
    words = compiled(discretise.gumbel, np.broadcast_to(logits, draw.shape), 0.7, draw)
    assert set(np.unique(words)) == {0.0, 1.0}
    np.testing.assert_allclose(words.mean(axis=(0, 1)), [0.2, 0.5, 0.3], atol=0.015)
    np.testing.assert_array_equal(compiled(discretise.gumbel, logits[None], 0.7, None), [[0, 1, 0]])


def test_dru_is_noisy_and_smooth_in_training_and_a_bit_in_execution():
    np.testing.assert_allclose(
        discretise.dru(jnp.array([1.0]), 0.5, jnp.array([2.0])), jax.nn.sigmoid(jnp.array([2.0]))
    )
    np.testing.assert_array_equal(discretise.dru(jnp.array([-0.2, 0.2]), 0.5, None), [0, 1])


# gate


def test_learned_gates_begin_open_and_pass_their_gradient():
    np.testing.assert_array_equal(compiled(gate.learned, np.array([0.0, -0.9, -1.1])), [1, 1, 0])
    assert gradient(gate.learned, [-3.0])[0] > 0


def test_top_k_takes_the_heaviest_of_those_whom_anyone_hears():
    everyone = route.everyone(4)
    np.testing.assert_array_equal(
        gate.top_k(jnp.array([0.1, 3.0, 2.0, 2.0]), 2, everyone, (0,) * 4, None), [0, 1, 1, 0]
    )
    unheard = everyone.copy()
    unheard[:, 1] = 0
    np.testing.assert_array_equal(gate.top_k(jnp.array([0.1, 3.0, 2.0, 2.0]), 2, unheard, (0,) * 4, None), [0, 0, 1, 1])
    # each team has a medium of its own
    of_two = gate.top_k(jnp.array([0.1, 3.0, 2.0, 2.0]), 1, everyone, (0, 1, 1, 0), None)
    np.testing.assert_array_equal(of_two, [0, 1, 0, 1])


def test_in_training_turns_follow_the_softmax_of_the_scores():
    scores, draw = np.log([0.2, 0.5, 0.3]), np.random.default_rng(0).gumbel(size=(20_000, 3))
    turns = compiled(lambda scores, draw: gate.top_k(scores, 1, route.everyone(3), (0,) * 3, draw), scores, draw)
    np.testing.assert_allclose(turns.mean(axis=0), [0.2, 0.5, 0.3], atol=0.015)


def test_every_n():
    np.testing.assert_array_equal(gate.every_n(jnp.arange(5), 2, 1)[:, 0], [1, 0, 1, 0, 1])


# corrupt


def test_noise_of_no_strength_changes_nothing():
    x = jax.random.normal(KEY, (50,))
    np.testing.assert_array_equal(corrupt.add_noise(x, jnp.array(0.0), jax.random.normal(KEY, (50,))), x)


def test_flips():
    flip = np.array([True, False])
    np.testing.assert_array_equal(compiled(corrupt.flip_signs, np.array([1.0, 1.0]), flip), [-1, 1])
    np.testing.assert_array_equal(compiled(corrupt.flip_units, np.array([1.0, 0.0]), flip), [0, 0])
    # level 1 of 0..3 is binary 01; its second bit flipped makes level 3
    flipped = compiled(corrupt.flip_levels, np.array([-1 / 3]), 2.0, np.array([[False, True]]))
    np.testing.assert_allclose(flipped, [1.0])
    np.testing.assert_allclose(compiled(corrupt.flip_levels, np.array([0.0]), 0.0, np.array([[True]])), [0.0])


def test_a_flipped_word_is_always_another_and_any_other():
    words, luck = np.eye(4)[np.full(3000, 2)], np.random.default_rng(0).random(3000)
    wrong = compiled(corrupt.flip_words, words, np.ones(3000, bool), luck)
    np.testing.assert_allclose(wrong.mean(axis=0), [1 / 3, 1 / 3, 0, 1 / 3], atol=0.03)


@pytest.mark.parametrize(("p", "burst", "length"), [(0.3, 1.0, 1 / 0.7), (0.3, 4.0, 4.0), (0.9, 2.0, 9.0)])
def test_losses_have_the_asked_share_and_length(p, burst, length):
    steps, links = 4000, 50

    first, *luck = np.random.default_rng(0).random((1 + steps, links, 1, 1))

    def step(lost, luck):
        lost = corrupt.lose(lost, luck, p, burst)
        return lost, lost[:, 0, 0]

    lost = compiled(lambda first, luck: jax.lax.scan(step, first, luck)[1], first < p, np.array(luck))
    assert lost.mean() == pytest.approx(p, abs=0.01)
    mean_length = lost[:-1].sum() / (lost[:-1] & ~lost[1:]).sum()
    assert mean_length == pytest.approx(length, rel=0.05)


def test_sure_loss_and_no_loss_whatever_the_burst():
    rng = np.random.default_rng(0)
    for burst in (1.0, 3.0):
        lose = jax.jit(lambda lost, luck, p, burst=burst: corrupt.lose(lost, luck, p, burst))
        for p in (0.0, 1.0):
            lost = np.full((5, 2, 2), bool(p))
            for _ in range(20):
                lost = np.asarray(lose(lost, rng.random(lost.shape), p))
                assert (lost == bool(p)).all()


# route


def test_links():
    np.testing.assert_array_equal(route.everyone(3), [[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    np.testing.assert_array_equal(route.team([1, 0, 0]), [[0, 0, 0], [0, 0, 1], [0, 1, 0]])
    np.testing.assert_array_equal(route.ring([0] * 4), [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])
    np.testing.assert_array_equal(route.star([0] * 3), [[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(route.star([0, 1]), np.zeros((2, 2)))


def test_links_by_position():
    line, teams = np.array([[0.0, 0], [1.0, 0], [3.0, 0], [3.5, 0]]), [0, 0, 0, 1]
    nearest, within = compiled(lambda x: (route.nearest(x, 1, teams), route.within(x, 2.0, teams)), line)
    np.testing.assert_array_equal(nearest, [[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(within, [[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


# aggregate


CONTENT = np.array([[1.0], [3.0], [8.0]])
ALL = route.everyone(3)


def test_mean_sum_max_and_concat():
    np.testing.assert_allclose(compiled(aggregate.mean, CONTENT, ALL, ALL), [[5.5], [4.5], [2.0]])
    np.testing.assert_allclose(compiled(aggregate.total, CONTENT, ALL), [[11.0], [9.0], [4.0]])
    np.testing.assert_allclose(
        compiled(aggregate.maximum, -CONTENT, ALL, np.array([1.0, 1, 0])), [[-3.0], [-1.0], [-1.0]]
    )
    np.testing.assert_allclose(
        compiled(lambda x: aggregate.concat(x, ALL), CONTENT), [[3.0, 8.0], [1.0, 8.0], [1.0, 3.0]]
    )


def test_a_lost_message_counts_as_silence_in_a_mean():
    arrives = np.array(ALL)
    arrives[0, 2] = 0
    np.testing.assert_allclose(compiled(aggregate.mean, CONTENT, arrives, ALL), [[1.5], [4.5], [2.0]])


def test_who_hears_nobody_hears_zero():
    nobody, sent, query = np.zeros((3, 3)), np.ones(3), np.ones((3, 1))

    def attention(keyed):
        return aggregate.attention(keyed, nobody, sent, query, heads=1)

    keyed = np.concatenate([CONTENT, CONTENT], axis=-1)
    assert not compiled(aggregate.mean, CONTENT, nobody, nobody).any()
    assert not compiled(aggregate.maximum, CONTENT, nobody, sent).any()
    assert not compiled(attention, keyed).any() and not gradient(attention, keyed).any()


def test_attention_by_hand():
    """One head, keys of one number, values of one: weights exp(q k) over those who are heard."""
    messages = np.array([[9.0, 100.0], [0.0, 10.0], [1.0, 20.0]])  # (key, value)
    attention = partial(aggregate.attention, heads=1)
    heard = compiled(attention, messages, ALL, np.ones(3), np.array([[2.0], [0.0], [0.0]]))
    e2 = np.exp(2.0)
    np.testing.assert_allclose(heard[:, 0], [(10 + 20 * e2) / (1 + e2), 60.0, 55.0], rtol=1e-6)
    alone = compiled(attention, messages, ALL, np.array([0.0, 1, 1]), np.zeros((3, 1)))
    np.testing.assert_allclose(alone[:, 0], [15.0, 20.0, 10.0])


def test_heads_share_the_message():
    messages = np.array([[0.0, 1.0, 0.0, 2.0], [0.0, 3.0, 0.0, 4.0]])  # two heads of (key, value)
    heard = compiled(partial(aggregate.attention, heads=2), messages, route.everyone(2), np.ones(2), np.ones((2, 2)))
    np.testing.assert_allclose(heard, [[3.0, 4.0], [1.0, 2.0]])


def test_hard_attention_chooses():
    keyed = np.array([[5.0, 0.0], [-5.0, 0.0]])
    links = compiled(partial(aggregate.choose_links, heads=1), keyed, np.array([[1.0], [1.0]]))
    np.testing.assert_array_equal(links, [[1, 0], [1, 0]])


# regularise


def test_signalling_is_best_when_every_situation_has_its_word():
    loss = jax.jit(lambda logits: regularise.signalling_loss(logits, 0.0))
    code, babble, mumble = 50 * np.eye(3)[:, None], np.zeros((3, 1, 3)), 50 * np.eye(3)[[0, 0, 0]][:, None]
    assert loss(code) == pytest.approx(-np.log(3), abs=1e-5)
    assert loss(mumble) == pytest.approx(0, abs=1e-5)
    assert loss(babble) == pytest.approx(np.log(3) ** 2 - np.log(3), abs=1e-5)


def test_listening_pays_for_acting_differently():
    heard, muted = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert compiled(regularise.listening_loss, heard, muted) == pytest.approx(np.log(2) - 1, abs=1e-5)
    trained = gradient(lambda h: regularise.listening_loss(h, jnp.array(muted)), [[0.8, 0.2]])
    assert trained[0, 0] < 0 < trained[0, 1]


def test_price():
    sent = jnp.array([[[1.0, 0.0], [1.0, 1.0]]])  # one step, two rounds, two agents: 3 messages of 2 agents
    assert float(regularise.price(sent, 8.0, 0.1, 0.01)) == pytest.approx(1.5 * 0.1 + 1.5 * 8 * 0.01)
