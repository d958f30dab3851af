"""What is said of a run before it begins."""

import jax
import pytest

from jaxmarl_comm import banner, default_cfg, memory
from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.comm.words import in_words


def header(**changes):
    """Label -> what stands beside it; all begin below each other."""
    cfg = default_cfg().replace(changes)
    lines = banner.header(cfg, cfg.make_env(), "runs/words")
    assert len(lines) == 6 and {line[10:12] for line in lines} == {"  "}
    return {line[:10].strip(): line[12:] for line in lines}


def test_a_header_says_what_is_about_to_run(monkeypatch):
    monkeypatch.setattr(memory, "needed_bytes", lambda cfg: {"a": (1_000_000, {}), "the replay": (2_500_000_000, {})})
    monkeypatch.setattr(banner, "memory_of_machine", lambda: 16_000_000_000)
    kind = jax.devices()[0].device_kind
    assert header(num_seeds=3, num_iters=10) == {
        "experiment": "mappo on simple_reference_v3, 3 seeds of 128,000 environment steps",
        "policies": "shared within groups (2 agent), 64-64 relu, no memory",
        "channel": "commnet: 8 numbers, to the team within the step, heard by mean",
        "rewards": "shared: each agent learns from its team's mean",
        "devices": f"{jax.device_count()} {kind}, 16.0 GB; at least 2.5 GB needed (the replay)",
        "run folder": "runs/words",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"share_params": False}, "one for each agent (2 agent), 64-64 relu, no memory"),
        ({"net.last_step": True}, "shared within groups (2 agent), 64-64 relu, no memory, looking back one step"),
        (
            {"env.name": "simple_speaker_listener_v4"},
            "one for each agent (1 speaker, 1 listener), 64-64 relu, no memory",
        ),
        (
            {"env.name": "simple_tag_v3", "net.groups": {"agent": {"hidden": [32]}}, "net.memory": "gru"},
            "shared within groups (3 adversary, 1 agent), 64-64 relu or 32 relu, memory gru",
        ),
    ],
)
def test_policies_are_told_by_who_shares_them(changes, expected):
    assert header(**changes)["policies"] == expected


def test_sides_that_differ_are_told_apart():
    found = header(
        **{"env.name": "simple_world_comm_v3", "comm.preset": "dial", "comm.route": "team"},
        teams={"adversary": {"reward_sharing": "mixed", "reward_mix": 0.25, "channel": False}},
    )
    assert found["rewards"] == (
        "good shared: each agent learns from its team's mean; "
        "adversary mixed: each agent learns from its team's mean by 25%, and from its own"
    )
    assert found["channel"].endswith("heard by sum; adversary silent")
    assert "against pursuer as adversary" in header(
        **{"env.name": "simple_tag_v3", "comm.preset": "none", "opponents": {"adversary": "pursuer"}}
    )["experiment"]  # fmt: skip


def test_what_is_other_while_learning_is_told():
    changes = {"env.name": "simple_spread_v3", "train_env": {"max_cycles": 10, "terminate_on_success": True}}
    told = header(num_iters=1, **changes)["experiment"]
    assert told.endswith("environment steps; while teams learn, max_cycles is 10 and terminate_on_success is True")


def test_each_protocol_is_told_in_other_words():
    told = {name: in_words(CommConfig(preset=name)) for name in PRESETS}
    assert all(words.startswith(f"{name}: ") for name, words in told.items())
    assert len({words.partition(": ")[2] for words in told.values()}) == len(PRESETS)
    assert told["none"] == "none: nobody can tell anybody anything"
    assert told["neurcomm"] == "neurcomm: 8 numbers, to neighbours on a ring a step later, heard by concat"
    assert (
        told["schednet"]
        == "schednet: 8 numbers, of the 1 with most to say, to the team within the step, heard by concat"
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"discretise": "quantise", "bits": 3, "noise": 0.5, "loss": 0.1}, "8 numbers of 3 bits, "),
        ({"gate": "every_n", "gate_every": 4, "delay": 3}, ", at every step in 4, to the team 3 steps later"),
        ({"route": "radius", "route_radius": 0.5, "rounds": 2}, "to those within 0.5 within the step in 2 rounds"),
        ({"route": "nearest", "route_k": 2, "noise": 0.5, "loss": 0.25}, "heard by mean, noise 0.5, loss 0.25"),
    ],
)
def test_settings_of_the_channel_are_in_its_words(changes, expected):
    assert expected in in_words(CommConfig(preset="commnet", **changes))


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0.0 MB"), (4.3e6, "4.3 MB"), (49e6, "49 MB"), (25.3e9, "25.3 GB")]
)
def test_memory_is_told_in_units_that_can_be_read(number, expected):
    assert banner.in_bytes(number) == expected
