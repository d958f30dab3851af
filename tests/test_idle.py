"""Hints of settings that do nothing as the others are."""

import pytest

from jaxmarl_comm import default_cfg
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.idle import hints

TAG = {"env.name": "simple_tag_v3", "comm.preset": "none"}
MIXED = {"teams": {"adversary": {"reward_sharing": "mixed"}}, "reward_mix": 0.3}
OTHERS = {
    "discretise": ("none", "binary", "quantise", "gumbel", "dru"),
    "gate": ("always", "learned", "top_k", "every_n"),
    "route": ("team", "all", "nearest", "radius"),
    "aggregate": ("mean", "concat", "attention"),
}


def hints_of(**changes):
    cfg = default_cfg().replace({"env.name": "simple_spread_v3", **changes})
    return [line.removeprefix("hint: ").partition(" does nothing")[0] for line in hints(cfg, cfg.make_env())]


@pytest.mark.parametrize(
    ("name", "value", "stage", "choices"),
    [
        ("bits", 4, "discretise", {"quantise"}),
        ("temperature", 0.7, "discretise", {"gumbel"}),
        ("temperature_end", 0.7, "discretise", {"gumbel"}),
        ("dru_noise", 0.7, "discretise", {"dru"}),
        ("gate_k", 2, "gate", {"top_k"}),
        ("gate_every", 4, "gate", {"every_n"}),
        ("route_k", 2, "route", {"nearest"}),
        ("route_radius", 0.5, "route", {"radius"}),
        ("heads", 2, "aggregate", {"attention"}),
        ("key_dim", 2, "aggregate", {"attention"}),
    ],
)
def test_a_detail_does_something_to_one_choice_alone(name, value, stage, choices):
    told = {other for other in OTHERS[stage] if hints_of(**{f"comm.{stage}": other, f"comm.{name}": value})}
    assert told == {*OTHERS[stage]} - choices


@pytest.mark.parametrize("preset", PRESETS)
def test_what_a_preset_brings_is_no_surprise(preset):
    task = "simple_reference_v3"
    assert not hints_of(**{"env.name": task, "comm.preset": preset})
    assert not hints_of(**{"env.name": task, "comm.preset": preset, "comm.discretise": "none"})


@pytest.mark.parametrize(
    ("changes", "idle"),
    [
        ({}, []),
        ({"hidden_dim": 32}, []),
        ({"hidden_dim": 32, "net.hidden": [8]}, ["hidden_dim"]),
        ({"hidden_dim": 32, "net.groups": {"agent": {"hidden": [8]}}}, ["hidden_dim"]),
        ({"hidden_dim": 32, "net.groups": {"agent": {"activation": "elu"}}}, []),
        ({"reward_mix": 0.3}, ["reward_mix"]),
        ({"reward_mix": 0.3, "reward_sharing": "mixed"}, []),
        ({**TAG, **MIXED}, []),
        ({**TAG, **MIXED, "teams": {"adversary": {"reward_sharing": "mixed", "reward_mix": 0.1}}}, ["reward_mix"]),
        ({**TAG, **MIXED, "comm.preset": "tarmac", "comm.key_dim": 4}, []),
        ({**TAG, **MIXED, "comm.key_dim": 4}, []),  # of a silent twin
    ],
)
def test_what_does_nothing_is_told(changes, idle):
    assert hints_of(**changes) == idle
