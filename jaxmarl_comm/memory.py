"""Whether a run can fit into memory, told before it begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from typing import Any

import jax

from jaxmarl_comm.config import Config, ConfigError
from jaxmarl_comm.files import RunError
from jaxmarl_comm.suggest import listed

FLOAT = 4  # bytes
EXHAUSTED = ("RESOURCE_EXHAUSTED", "Out of memory")  # in what jax says then
COPIES = 3  # of parameters: themselves, and Adam's two means


def check_memory(cfg: Config, values: int = 1) -> None:
    """Raises ConfigError for a run that needs more memory than there is, whatever else it needs.

    values: how many of a study's sweep are trained side by side.
    """
    there = memory_of_machine()
    for what, (needed, factors) in needed_bytes(cfg, values).items():
        if needed > there:
            blamed = ", ".join(f"{name} is {value:,}" for name, value in factors.items())
            raise ConfigError(
                f"{what} needs at least {needed / 1e9:,.1f} GB of memory, but there are {there / 1e9:,.1f} GB: {blamed}"
            )


@contextmanager
def within_memory(cfg: Config, advice: str = "", values: int = 1) -> Iterator[None]:
    """What jax raises inside when the device has no memory left is a RunError of one line, ending in this advice.

    values: see `check_memory`.
    """
    with _exhausted_in_one_line(lambda: _blame(cfg, values) + advice):
        yield


@contextmanager
def playing_within_memory(episodes: int) -> Iterator[None]:
    """The same of what plays episodes alone."""
    with _exhausted_in_one_line(lambda: f"play fewer --episodes ({episodes:,})"):
        yield


@contextmanager
def _exhausted_in_one_line(mend: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except RunError:  # a full disk, too, is an exhausted resource
        raise
    except RuntimeError as error:  # jax's own
        if not any(word in str(error) for word in EXHAUSTED):
            raise
        there = f"{memory_of_machine() / 1e9:,.1f} GB"
        raise RunError(f"the device has run out of its {there} of memory: {mend()}") from None


def _blame(cfg: Config, values: int) -> str:
    what, (needed, factors) = max(needed_bytes(cfg, values).items(), key=lambda item: item[1][0])
    lower = listed([f"{name} ({value:,})" for name, value in factors.items()], "or")
    return f"{what} alone takes {needed / 1e9:,.1f} GB of it; lower {lower}"


def needed_bytes(cfg: Config, values: int = 1) -> dict[str, tuple[int, dict[str, int]]]:
    """What -> (bytes that it takes at the very least, the settings that decide it). values: see `check_memory`."""
    swept = {"values side by side": values} if values > 1 else {}
    return {what: (values * needed, {**factors, **swept}) for what, (needed, factors) in _needed_by_one(cfg).items()}


def _needed_by_one(cfg: Config) -> dict[str, tuple[int, dict[str, int]]]:
    env = cfg.make_env()
    learned = cfg.make_train_env(env)
    state, shown = map(_bytes, jax.eval_shape(learned.reset, jax.random.key(0)))
    waiting = FLOAT * env.num_agents * cfg.comm.width * cfg.comm.rounds * (cfg.comm.delay + 1)
    nets = cfg.nets(env.groups)
    weights = sum(a * b for net in nets.values() for a, b in pairwise(net.hidden))
    widest = max(max(net.hidden) for net in nets.values())
    steps = cfg.num_envs * cfg.rollout_len
    seeds = {"num_seeds": cfg.num_seeds}
    if cfg.num_runs > cfg.num_seeds:
        seeds["evolution.population_size"] = cfg.evolution.population_size
    side_by_side = {**seeds, "num_envs": cfg.num_envs, "rollout_len": cfg.rollout_len}
    copies = cfg.num_runs * cfg.num_envs + cfg.eval_episodes
    episode = state + shown + waiting + FLOAT * env.max_cycles
    fitness = {
        "the measuring of fitness": (
            cfg.num_runs * cfg.evolution.fitness_episodes * episode,
            {**seeds, "evolution.fitness_episodes": cfg.evolution.fitness_episodes, "env.max_cycles": env.max_cycles},
        )
    }
    return {
        "a network": (
            COPIES * FLOAT * cfg.num_runs * weights,
            {**seeds, "hidden_dim": widest},
        ),
        "a rollout": (
            cfg.num_runs * (cfg.num_envs * (waiting + state) + steps * shown),
            {**side_by_side, "comm.delay": cfg.comm.delay},
        ),
        **{
            what: (FLOAT * cfg.num_runs * numbers, {**side_by_side, **factors})
            for what, (numbers, factors) in cfg.numbers_held(learned).items()
        },
        "the evaluation": (
            cfg.num_seeds * cfg.eval_episodes * episode,
            {"num_seeds": cfg.num_seeds, "eval_episodes": cfg.eval_episodes, "env.max_cycles": env.max_cycles},
        ),
        **(fitness if cfg.evolves else {}),
        "a copy in Python for each row": (
            copies * env.bytes_of_copy,
            {**seeds, "num_envs": cfg.num_envs, "eval_episodes": cfg.eval_episodes},
        ),
    }


def largest_need(cfg: Config) -> tuple[str, int]:
    """What takes most, and its bytes at the very least."""
    sizes = {what: size for what, (size, _) in needed_bytes(cfg).items()}
    return max(sizes.items(), key=lambda item: item[1])


def memory_of_machine() -> int:
    """Bytes of memory of the device that computes: an accelerator's, or the machine's."""
    of_device = jax.local_devices()[0].memory_stats() or {}
    return of_device.get("bytes_limit") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _bytes(x: Any) -> int:
    leaves = [leaf for leaf in jax.tree.leaves(x) if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)]
    return sum(prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
