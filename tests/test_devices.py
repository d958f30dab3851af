"""Seeds and members on several devices: what each learns is what it learns on one."""

import json

import numpy as np
import pytest

from runs import EVOLVING, SIMPLEST, as_options, finish

pytestmark = pytest.mark.long
STEADY = {"lr_schedule": "constant"}  # which does not look at how long a run is to be


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("settings", [{"num_seeds": 4, **STEADY}, {**EVOLVING, **STEADY}], ids=["seeds", "members"])
def test_runs_are_the_same_on_two_devices_and_may_go_on_on_one(settings, tmp_path, monkeypatch):
    """Up to rounding, as each device compiles a program of its own."""
    words = as_options({**SIMPLEST, **settings})
    assert finish("train", *words, "--run-dir", tmp_path / "one") == (0, "")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    half = as_options({**SIMPLEST, **settings, "num_iters": 4})
    assert finish("train", *half, "--run-dir", tmp_path / "two") == (0, "")
    (start,) = map(json.loads, (tmp_path / "two" / "starts.jsonl").read_text().splitlines())
    assert start["devices"] == {"cpu": 2}
    monkeypatch.delenv("XLA_FLAGS")
    assert finish("train", "--resume", tmp_path / "two", "--num_iters", 6) == (0, "")
    for one, two in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        for name in ("return", "entropy", "param_norm"):
            np.testing.assert_allclose(one[name], two[name], rtol=1e-4, atol=1e-5)
