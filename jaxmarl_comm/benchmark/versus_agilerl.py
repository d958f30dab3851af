"""MATD3 as AgileRL's tutorial has it, here and there, measured in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.offpolicy_config import OffPolicyConfig
from jaxmarl_comm.runner import compile_chunk

CONFIG = "matd3_as_agilerl.yaml"
CHUNK = 50  # iterations of one call
CHUNKS_OF_THEIRS = 10  # that its training is cut into, the last of which tells the return
WORKER = Path(__file__).parent / "agilerl_worker.py"


class Trained(NamedTuple):
    """A training. rate: steps per second once compiled. returns: mean over agents, of the latest episodes."""

    rate: float
    returns: float


class Comparison(NamedTuple):
    """ours, theirs: one for each turn. compile_seconds: what ours took before."""

    ours: list[Trained]
    theirs: list[Trained]
    compile_seconds: float

    @property
    def ratio(self) -> float:
        """Median over turns of our rate to theirs."""
        return statistics.median(a.rate / b.rate for a, b in zip(self.ours, self.theirs, strict=True))


def compare(cfg: OffPolicyConfig, python: str, steps: int, threads: int, turns: int) -> Comparison:
    """Both trained from the start for this many steps. python: of an environment that has AgileRL and mpe2.

    Raises subprocess.CalledProcessError if theirs fails.
    """
    train, compile_seconds = our_training(cfg, steps)
    found = [(train(), their_training(cfg, python, steps, threads)) for _ in range(turns)]
    return Comparison([ours for ours, _ in found], [theirs for _, theirs in found], compile_seconds)


def our_training(cfg: OffPolicyConfig, steps: int) -> tuple[Callable[[], Trained], float]:
    """(a function that trains from the start, seconds that it took to compile)."""
    per_chunk = CHUNK * cfg.num_envs * cfg.rollout_len
    algorithm, keys = make_algorithm(cfg, cfg.make_env()), jax.random.split(jax.random.key(cfg.seed), 1)
    init = jax.jit(jax.vmap(algorithm.init, out_axes=algorithm.state_axes))
    began = time.perf_counter()
    chunk = compile_chunk(algorithm, init(keys), CHUNK)
    compile_seconds = time.perf_counter() - began

    def train() -> Trained:
        state: Any = jax.block_until_ready(init(keys))
        began = time.perf_counter()
        for _ in range(-(-steps // per_chunk)):
            state, metrics = chunk(state)
        returned = float(metrics["return"][0])
        return Trained(-(-steps // per_chunk) * per_chunk / (time.perf_counter() - began), returned)

    return train, compile_seconds


def their_training(cfg: OffPolicyConfig, python: str, steps: int, threads: int) -> Trained:
    """AgileRL's, with this config's environments, batch and replay ratio; all else is the tutorial's in the worker."""
    found = run_worker(cfg, python, steps, threads, members=1, evo_steps=-(-steps // CHUNKS_OF_THEIRS))
    return Trained(steps / found["seconds"][-1], float(np.mean(found["generations"][-1])) / 2)


def run_worker(cfg: OffPolicyConfig, python: str, steps: int, threads: int, **more: int) -> dict[str, Any]:
    """What AgileRL's loop tells: see `agilerl_worker.py`. Raises subprocess.CalledProcessError."""
    given = {
        "steps": steps,
        "num_envs": cfg.num_envs,
        "batch_size": cfg.batch_size,
        "learn_step": round(cfg.batch_size / cfg.replay_ratio / cfg.num_envs) * cfg.num_envs,
        "threads": threads,
        **more,
    }
    command = [python, str(WORKER), json.dumps(given)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
