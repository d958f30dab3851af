"""The algorithms that there are. A new one is one line here; nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxmarl_comm.settings import ConfigError
from jaxmarl_comm.suggest import did_you_mean, listed, shown

if TYPE_CHECKING:
    from jaxmarl_comm.config import Config


class Entry(NamedTuple):
    """Where an algorithm is, as `module:name`. config: the class of its settings. make: (config, env) -> Algorithm."""

    config: str
    make: str


PPO = Entry("jaxmarl_comm.ppo_config:PPOConfig", "jaxmarl_comm.algorithms.mappo:make_mappo")

OFF_POLICY = Entry("jaxmarl_comm.offpolicy_config:OffPolicyConfig", "jaxmarl_comm.algorithms.maddpg:make_maddpg")

ALGORITHMS = {"mappo": PPO, "ippo": PPO, "maddpg": OFF_POLICY, "matd3": OFF_POLICY}


def load(where: str) -> Any:
    """What `module:name` stands for."""
    module, name = where.split(":")
    return getattr(import_module(module), name)


def config_class(algorithm: Any) -> type[Config]:
    """The class of an algorithm's settings. Raises ConfigError for what is none."""
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        hint = did_you_mean(algorithm, ALGORITHMS) if isinstance(algorithm, str) else ""
        known = listed([f"'{name}'" for name in ALGORITHMS], "or")
        raise ConfigError(f"'algorithm' is {shown(algorithm)}: input should be {known}{hint}")
    return load(ALGORITHMS[algorithm].config)


def config_classes() -> dict[type[Config], list[str]]:
    """Class -> the algorithms whose settings it has."""
    classes: dict[type[Config], list[str]] = {}
    for algorithm in ALGORITHMS:
        classes.setdefault(config_class(algorithm), []).append(algorithm)
    return classes


def owners(field: str) -> list[str]:
    """The algorithms that have a setting of this name."""
    return [name for cls, names in config_classes().items() if field in cls.model_fields for name in names]


def names_of_strangers(fields: Iterable[str], algorithm: str) -> list[str]:
    """Which of these are settings of other algorithms only."""
    known = config_class(algorithm).model_fields
    return [field for field in fields if field not in known and owners(field)]


def strangers(fields: Iterable[str], algorithm: str) -> str:
    """The same in words; nothing if none is."""
    whose: dict[str, list[str]] = {}
    for field in names_of_strangers(fields, algorithm):
        whose.setdefault(listed(owners(field)), []).append(f"'{field}'")
    return "; ".join(
        f"{listed(names)} {'is a setting' if len(names) == 1 else 'are settings'} of {others}, not of {algorithm}"
        for others, names in whose.items()
    )
