"""Continuous actions, ten million steps of every task: no number may cease to be finite (`pytest -m slow`, an hour)."""

import json
import math

import pytest

from jaxmarl_comm import train_wrapper
from jaxmarl_comm.config import Config
from jaxmarl_comm.envs import ENVS

STEPS = 10_000_000
# What agents may do alone in a task where all that they can do, or all that one of them can, is to speak.
SPOKEN = {"simple_crypto_v3": {"preset": "speech"}}
ALONE = {"simple_v3", "simple_push_v3"}  # nobody there has a teammate to hear

pytestmark = [pytest.mark.slow, pytest.mark.optimised]


@pytest.mark.parametrize("task", ENVS)
def test_ten_million_continuous_steps_are_finite(task, tmp_path):
    cfg = Config(
        env={"name": task, "continuous_actions": True},
        comm=SPOKEN.get(task, {"preset": "none" if task in ALONE else "commnet"}),
        hidden_dim=32,
        num_envs=1024,
        num_minibatches=8,
        num_iters=math.ceil(STEPS / (1024 * 25)),
        eval_interval=0,
        eval_episodes=100,
        eval_episodes_reference=0,
    )
    assert cfg.env_steps >= STEPS
    result = train_wrapper(cfg, tmp_path / "run")  # raises RunError if training diverges
    rows = [json.loads(line) for line in (result.run_dir / "metrics.jsonl").read_text().splitlines()]
    numbers = [x for row in rows for value in row.values() for x in (value if isinstance(value, list) else [value])]
    assert numbers and all(map(math.isfinite, numbers))
