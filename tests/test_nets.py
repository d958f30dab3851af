"""Networks are as deep, as wide and as bent as the config says, group by group."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxmarl_comm.algorithms.mappo import Mappo
from jaxmarl_comm.comm.channel import unchanged
from jaxmarl_comm.config import ConfigError, default_cfg, load_config
from jaxmarl_comm.envs import make_env
from jaxmarl_comm.net_config import Net
from jaxmarl_comm.nets.growth import activated
from jaxmarl_comm.nets.layers import gain, normalised
from learners import assert_taught, lively

SMALL = {"num_envs": 4, "num_minibatches": 2, "ppo_epochs": 1, "hidden_dim": 8, "rollout_len": 26}


def learner_of(task, **changes):
    cfg = default_cfg().replace({"env.name": task, **SMALL, **changes})
    return Mappo(cfg, make_env(task, **cfg.env.arguments))


def widths(params):
    """Name of a layer -> its width."""
    return {name: layer["Dense_0"]["kernel"].shape[-1] for name, layer in params["params"].items()}


def test_a_group_may_have_other_networks():
    groups = {"speaker": {"hidden": [5]}, "listener": {"hidden": [7, 6, 4], "activation": "tanh"}}
    learner = learner_of("simple_speaker_listener_v4", **{"net.groups": groups})
    params = jax.eval_shape(learner.init, jax.random.key(0)).params
    policy, critic = widths(params.policy), widths(params.critic)
    assert {name: policy[name] for name in policy if "listener_encode" in name} == {
        "listener_encode": 7,
        "listener_encode_1": 6,
    }
    assert policy["speaker_encode"] == 5 and policy["listener_integrate_0"] == 4
    assert [critic[f"listener_{k}"] for k in range(3)] == [7, 6, 4] and critic["speaker_0"] == 5
    assert "speaker_1" not in critic


def test_hidden_dim_is_the_short_way():
    short, long = (learner_of("simple_spread_v3", **x) for x in ({}, {"hidden_dim": 3, "net.hidden": [8, 8]}))
    shapes = [jax.tree.map(jnp.shape, jax.eval_shape(x.init, jax.random.key(0)).params) for x in (short, long)]
    assert shapes[0] == shapes[1]


def test_inputs_may_be_normalised():
    x = jnp.array([[1.0, 3.0], [-50.0, 50.0]])
    np.testing.assert_allclose(normalised(Net((8,), "relu", True), x), [[-1, 1], [-1, 1]], atol=1e-4)
    np.testing.assert_array_equal(normalised(Net((8,), "relu", False), x), x)


@pytest.mark.parametrize(
    ("activation", "at_one", "at_minus_one"),
    [("relu", 1, 0), ("tanh", 0.7616, -0.7616), ("elu", 1, -0.6321), ("gelu", 0.8412, -0.1588)],
)
def test_activations(activation, at_one, at_minus_one):
    net = Net((8,), activation, False)
    np.testing.assert_allclose(activated(net, None, jnp.array([1.0, -1.0])), [at_one, at_minus_one], atol=1e-3)
    assert gain(net) == pytest.approx(5 / 3 if activation == "tanh" else 2**0.5)


@pytest.mark.parametrize(
    ("task", "changes"),
    [
        ("simple_reference_v3", {"net.hidden": [8], "comm.encoder": "mlp"}),
        ("simple_reference_v3", {"net.hidden": [6, 7, 5], "comm.integrate": "gru", "net.activation": "elu"}),
        ("simple_reference_v3", {"net.hidden": [6, 5], "comm.integrate": "add", "net.layer_norm": True}),
        ("simple_push_v3", {"net.groups": {"adversary": {"activation": "gelu"}}, "comm.preset": "none"}),
    ],
)
def test_every_shape_learns(task, changes):
    assert_taught(learner_of(task, **changes))


def test_networks_survive_their_yaml(tmp_path):
    cfg = default_cfg().replace({"net.hidden": [32, 16], "net.groups": {"agent": {"activation": "tanh"}}})
    (tmp_path / "c.yaml").write_text(cfg.to_yaml())
    assert load_config(tmp_path / "c.yaml") == cfg


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net.groups": {"agnet": {"hidden": [8]}}}, "net.groups has 'agnet', but the groups of"),
        ({"net.groups": {"agent": {"hiden": [8]}}}, "unknown key 'net.groups.agent.hiden'"),
        ({"net.hidden": []}, "'net.hidden' is"),
        ({"net.hidden": [0]}, "'net.hidden.0' is 0"),
        ({"net.activation": "swish"}, "'net.activation' is 'swish'"),
        ({"net": "mlp"}, "'net' is 'mlp', but holds settings"),
    ],
)
def test_a_mistake_is_one_line(changes, message):
    with pytest.raises(ConfigError, match=message):
        default_cfg().replace(changes)


def test_layers_multiply_in_half_the_bits_and_keep_their_parameters_whole():
    """Close to the same outputs, parameters and what is sent in float32, and every part still learns."""
    whole, half = (
        learner_of("simple_reference_v3", **{"net.precision": x, "net.memory": "gru", "net.critic_memory": "lstm"})
        for x in ("float32", "bfloat16")
    )
    state = lively(whole)
    params = jax.eval_shape(half.init, jax.random.key(0)).params
    assert {x.dtype for x in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    team, view = whole.team(state), whole.view(state.rollout)
    found = [jax.jit(lambda t, v, x=x: x.actor.step(t, v, {}, unchanged)[3:])(team, view) for x in (whole, half)]
    found = jax.device_get(found)
    outputs, sent = [x["agent"] for _, x in found], [talk.packets.message for talk, _ in found]
    assert sent[1].dtype == outputs[1].dtype == jnp.float32
    for a, b in (outputs, sent):
        np.testing.assert_allclose(a, b, atol=0.1)
        assert (a != b).any()
    assert_taught(half)
