"""Seeds and members on several devices: what each learns is what it learns on one."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from jaxmarl_comm import chunks, train_wrapper
from runs import EVOLVING, SIMPLEST

ON_TWO = """
import json, sys
import jax
from jaxmarl_comm import evolve, runner
runner.evaluate_teams = lambda *given, **more: sys.exit(0)  # all has been learned
from jaxmarl_comm.devices import mesh_of
assert len(jax.local_devices()) == mesh_of(4).size == 2 and mesh_of(3) is None
evolve(json.loads(sys.argv[1]), sys.argv[2])
"""


# Two populations, each with its replay, so that there is one for each device.
SHARING = {name: value for name, value in SIMPLEST.items() if name != "num_minibatches"} | {
    "algorithm": "matd3", "learning_delay": 50, "buffer_size": 400, "batch_size": 8, "num_seeds": 2,
    "evolution.share_replay": True,
}  # fmt: skip


class SimpleState(NamedTuple):
    key: Any
    iteration: Any


def returns(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["return"] for row in rows], [row["critic_grad_norm"] for row in rows]


def test_those_who_learn_from_each_other_stay_on_one_device(monkeypatch):
    asked = []
    monkeypatch.setattr(chunks, "mesh_of", lambda number: asked.append(number))
    algorithm = SimpleNamespace(together=4, state_axes=0, update=lambda state: (state, {"loss": state.key * 1.0}))
    state = SimpleState(np.arange(8), np.zeros(8))
    chunks.compile_chunk(algorithm, state, 1)
    assert asked == [2]


@pytest.mark.long
@pytest.mark.parametrize("settings", [SIMPLEST, SHARING])
def test_members_are_the_same_on_two_devices(tmp_path, quick_evaluation, settings):
    """Up to rounding, as each device compiles a program of its own."""
    settings = {**settings, **EVOLVING}
    two = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", ON_TWO, json.dumps(settings), str(tmp_path / "two")]
    subprocess.run(command, check=True, env=two, capture_output=True)
    train_wrapper(settings, tmp_path / "one")
    np.testing.assert_allclose(returns(tmp_path / "one"), returns(tmp_path / "two"), rtol=1e-4, atol=1e-5)
