"""What messages are and tell, of episodes made by hand."""

import jax
import numpy as np
import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.algorithms.hyperparams import of_config
from jaxmarl_comm.algorithms.ppo_state import Hyperparams
from jaxmarl_comm.comm.metrics import entropy
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.batch import Batch
from jaxmarl_comm.envs.mpe.simple_crypto import ALICE
from jaxmarl_comm.evaluation.episodes import Episodes
from jaxmarl_comm.evaluation.messages import bits_per_message, message_statistics, message_tables


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
    cfg = default_cfg().replace({"env.name": "simple_speaker_listener_v4", **changes})
    assert bits_per_message(cfg, cfg.make_env(), of_config(Hyperparams, cfg).comm) == pytest.approx(bits)


def test_a_symbol_is_the_same_message_for_all_who_send_it():
    """Two speakers with the same three messages, of which the second never sends the first one."""
    cfg = default_cfg().replace({"env.name": "simple_reference_v3", "comm.message_dim": 2})
    env, code = make_env("simple_reference_v3"), np.array([[-1.0, 0.5], [0.0, 2.0], [3.0, 0.0]], np.float32)
    goals = np.random.default_rng(0).integers([[0, 1]], 3, (400, 2))
    tables = message_tables(cfg, env, blank_episodes(env, code[goals], goals))
    meaning = [dict(zip(table["symbols"], table["messages"], strict=True)) for table in tables.values()]
    assert len(meaning[0]) == 3
    assert meaning[1].items() < meaning[0].items()
    assert [table["n"] for table in tables.values()] == [400, 400]
    assert tables["agent_1"]["information"] == pytest.approx(entropy(goals[:, 1]))


def test_no_table_of_messages_that_are_not_finite():
    cfg = default_cfg().replace({"env.name": "simple_reference_v3", "comm.message_dim": 2})
    env = make_env("simple_reference_v3")
    assert message_tables(cfg, env, blank_episodes(env, np.full((4, 2, 2), np.nan), np.zeros((4, 2), int))) == {}


def test_real_valued_messages_have_no_entropy():
    """Of noise, it would be the logarithm of how many clusters were asked for."""
    cfg = default_cfg().replace({"env.name": "simple_reference_v3", "comm.message_dim": 2})
    env, rng = make_env("simple_reference_v3"), np.random.default_rng(0)
    noise, goals = rng.normal(size=(400, 2, 2)).astype(np.float32), rng.integers(3, size=(400, 2))
    found = message_statistics(cfg, env, blank_episodes(env, noise, goals))
    assert np.isnan(found["message_entropy"]).all()
    assert np.isnan(found["context_independence"]).all()
    assert found["message_information"] == pytest.approx(0, abs=0.05)
    assert np.isfinite(found["speaker_consistency"]).all()


def blank_episodes(env, messages, goals):
    """One seed's episodes `[1, E, ...]`, of which only messages `[E, N, M]` and goals `[E, N]` matter."""
    actions = {group: np.zeros((len(goals), len(where)), int) for group, where in env.groups.items()}
    zeros = np.zeros(len(goals))
    episodes = Episodes(zeros, zeros, zeros, messages, actions, actions, zeros == 0, zeros, goals, zeros - 1)
    return jax.tree.map(lambda x: x[None], episodes)


def test_what_a_message_tells_with_the_key_is_of_tasks_that_have_one():
    cfg = default_cfg().replace({"env.name": "simple_crypto_v3", "comm.preset": "speech"})
    env, rng = make_env("simple_crypto_v3"), np.random.default_rng(0)
    bit, key = rng.integers(2, size=(2, 2000))
    words, goals = np.zeros((2000, 3, 4), np.float32), np.full((2000, 3), -1)
    words[:, ALICE], goals[:, ALICE] = np.eye(4)[(bit + key) % 2], bit
    episodes = blank_episodes(env, words, goals)
    found = message_statistics(cfg, env, episodes._replace(shared_key=key[None]))
    assert found["message_information_with_key"] == pytest.approx(np.log(2), abs=1e-3)
    assert found["message_information"] == pytest.approx(0, abs=1e-3)
    assert np.isnan(message_statistics(cfg, env, episodes)["message_information_with_key"]).all()
    played = Batch(env, 50)
    state, _ = played.reset(jax.random.key(0))
    np.testing.assert_array_equal(played.shared_key(state), state.choice[:, 1])
