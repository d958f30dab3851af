"""Configs drawn at random from their own schema: what is refused is one short line, what is accepted trains."""

import random
import types
from dataclasses import fields
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import jax
import numpy as np
import pytest

from jaxmarl_comm.algorithms import make_algorithm
from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.comm.presets import PRESETS
from jaxmarl_comm.config import Config, ConfigError, as_config, build_config, differing_keys
from jaxmarl_comm.dotted import flatten
from jaxmarl_comm.envs import ENVS, env_class
from jaxmarl_comm.memory import check_memory
from jaxmarl_comm.net_config import NetConfig
from jaxmarl_comm.ppo_config import PPOConfig
from jaxmarl_comm.runner import may_be_nan
from jaxmarl_comm.settings import read_yaml
from jaxmarl_comm.suggest import LONGEST_LINE

DEEP: list = []
for _ in range(200):
    DEEP = [DEEP]
WILD = [
    *(None, True, False, "", "x", "none", "é" * 5_000, "1e3", "line\nbreak", [], [[]], ["a"], {}, {"a": 1}, {1: 2}),
    *(-1, 0, 1, 2**31 - 1, 2**31, 2**32, 2**63, 10**21, 10**30, 10**5_000, [10**5_000]),
    *(-0.5, 1e-300, 1e-30, 1e30, 1e300, float("inf"), float("nan"), {"name": "x"}, {"preset": []}, DEEP, object()),
]
EXTREME = 100.0
TINY = {
    "num_seeds": 1,
    "num_iters": 1,
    "num_envs": 4,
    "num_minibatches": 2,
    "rollout_len": 3,
    "hidden_dim": 8,
    "ppo_epochs": 1,
    "eval_episodes": 4,
    "env.max_cycles": 2,
}


def plausible(kind, draw):
    """A value of an annotated type that may well be right."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return draw.choice(inner)
    if origin is Annotated:
        return plausible(inner[0], draw)
    if origin in (Union, types.UnionType):
        return plausible(draw.choice(inner), draw)
    if kind is type(None):
        return None
    if origin is list:
        return [[0, 1], [1, 0]] if get_origin(inner[0]) is list else [plausible(inner[0], draw), 3]
    if origin is dict:
        name = draw.choice(["agent", "listener", "good", "adversary"])
        return {name: draw.choice([["agent_0", "agent_1"], {"hidden": [4]}, {"lr": 0.01}, "stay"])}
    number = draw.choice([draw.random(), draw.uniform(0, 3), 1e-3])
    return {bool: draw.random() < 0.5, int: draw.randint(0, 5), float: number, str: "x"}[kind]


def mistyped(word, draw):
    """The word without one of its letters."""
    cut = draw.randrange(len(word))
    return word[:cut] + word[cut + 1 :]


def draw_changes(draw):
    """Dotted changes, most of them plausible."""
    task, preset = draw.choice(list(ENVS)), draw.choice(list(PRESETS))
    arguments = get_type_hints(env_class(task))
    known = {
        **get_type_hints(PPOConfig, include_extras=True),
        **{f"comm.{name}": kind for name, kind in get_type_hints(CommConfig, include_extras=True).items()},
        **{f"net.{name}": kind for name, kind in get_type_hints(NetConfig, include_extras=True).items()},
        **{f"env.{field.name}": arguments[field.name] for field in fields(env_class(task))},
    }
    names = [name for name in known if name in settable(task)]
    changes = {"env.name": task, "comm.preset": preset, "num_envs": 4, "num_minibatches": 2}
    for name in draw.sample(names, draw.randint(0, 5)):
        changes[name] = plausible(known[name], draw)
    if draw.random() < 0.5:
        changes[draw.choice([*names, "env", "comm", "env.name", "comm.preset"])] = draw.choice(WILD)
    if draw.random() < 0.1:
        changes[mistyped(draw.choice(names), draw)] = 1
    return changes


def settable(task):
    """Names of all settings but those that are drawn for every config."""
    own = {f"env.{field.name}" for field in fields(env_class(task))}
    channel = {f"comm.{name}" for name in CommConfig.model_fields} - {"comm.preset"}
    drawn = {"env", "comm", "net", "num_envs", "num_minibatches"}
    return own | channel | {f"net.{name}" for name in NetConfig.model_fields} | (set(PPOConfig.model_fields) - drawn)


def accepted(changes):
    """The config, or None if it is refused, which takes one line of a few hundred characters."""
    try:
        cfg = as_config(changes)
        check_memory(cfg)
    except ConfigError as error:
        assert "\n" not in str(error) and 0 < len(str(error)) <= LONGEST_LINE
        return None
    assert not differing_keys(build_config(read_yaml(cfg.to_yaml())), cfg)
    return cfg


def fuzz(count, seed):
    draw = random.Random(seed)
    return [cfg for _ in range(count) if (cfg := accepted(draw_changes(draw))) is not None]


def test_what_is_refused_is_one_line():
    assert 20 < len(fuzz(300, seed=0)) < 200


def test_any_text_is_yaml_or_one_line():
    draw, text = random.Random(0), Config().to_yaml()
    for _ in range(50):
        where, what = draw.randrange(len(text)), draw.choice(["{", "[", ":", "\n", "&a", "*a", "- ", "\t", "'", "\x00"])
        try:
            as_config(read_yaml(text[:where] + what + text[where + draw.randrange(3) :]))
        except ConfigError as error:
            assert "\n" not in str(error) and len(str(error)) <= LONGEST_LINE
    for text in ("[" * 100_000, "a: " + "9" * 5_000, "2024-13-45", "? [a]\n: 1", "a: &a [*a]", "{a: 1, a: 2}"):
        with pytest.raises(ConfigError) as error:
            as_config(read_yaml(text))
        assert "\n" not in str(error.value) and len(str(error.value)) <= LONGEST_LINE


@pytest.mark.slow
def test_what_is_accepted_trains():
    """100 of the accepted among 3,000 configs, in a small size; finite, unless a weight is beyond all measure."""
    cfgs = fuzz(3_000, seed=1)
    trained = 0
    for cfg in cfgs[:: len(cfgs) // 120]:
        small = accepted({**cfg.model_dump(), **TINY})
        if small is not None:
            assert stays_finite(small) or max(numbers(small)) > EXTREME, small
            trained += 1
    assert trained >= 100


def stays_finite(cfg):
    """Whether all parameters and metrics are finite after one iteration of training."""
    algorithm = make_algorithm(cfg, cfg.make_env())
    axes = algorithm.state_axes

    @jax.jit
    def train(keys):
        state = jax.vmap(algorithm.init, out_axes=axes)(keys)
        return jax.vmap(algorithm.update, in_axes=(axes,), out_axes=(axes, 0))(state)

    state, metrics = train(jax.random.split(jax.random.key(cfg.seed), cfg.num_seeds))
    known = {name: value for name, value in metrics.items() if not may_be_nan(name)}
    jax.clear_caches()
    return all(np.isfinite(x).all() for x in jax.tree.leaves((state.params, known)))


def numbers(cfg):
    return [value for _, value in flatten(cfg.model_dump()) if isinstance(value, float)]
