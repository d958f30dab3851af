"""What a study does: a YAML file of runs, of protocols or other variants of them, and sweeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field, ValidationError

from jaxmarl_comm.config import Config, build_config, changed
from jaxmarl_comm.dotted import merge
from jaxmarl_comm.opponents.copies import frozen_opponents
from jaxmarl_comm.settings import ConfigError, Settings, explain, read_mapping
from jaxmarl_comm.suggest import did_you_mean, shown

SWEPT = ("noise", "loss", "bit_flip", "bits")
"""Settings of the channel whose values are trained side by side, in one program; others, and values of populations, one
after the other."""


class Sweep(Settings):
    """One setting in several values, for some of the protocols (or variants). Without a field: each once, as it is."""

    field: str | None = Field(None, description="a setting of the channel, e.g. noise")
    values: list[Any] = Field(default_factory=lambda: [None], min_length=1)
    protocols: list[str] | None = Field(None, description="default: all")


class StudyConfig(Settings):
    """All of a study.

    run: settings of every run, as in a config of `scripts/train.py`. protocols: name -> settings of the channel.
    variants: name -> any settings of a run, as an ablation changes them; both may be given. level: a return in
    training; how many steps each run takes to reach it is reported.
    """

    run: dict[str, Any]
    protocols: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sweeps: list[Sweep] = Field(default_factory=lambda: [Sweep()], min_length=1)
    level: float | None = Field(None, description="a return in training, to count the steps to", allow_inf_nan=False)

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """Name of a protocol or variant -> what it changes in a run, by dotted keys."""
        of_channel = {
            name: {f"comm.{key}": value for key, value in settings.items()} for name, settings in self.protocols.items()
        }
        return of_channel | self.variants


class Program(NamedTuple):
    """What is trained at once: one protocol, with values of a field (None: as it is) side by side, all seeds of each.

    protocol: or variant. cfg: of the whole program. cfgs: of each value.
    """

    protocol: str
    field: str | None
    values: list[Any]
    cfg: Config
    cfgs: list[Config]


def build_study(values: Mapping[str, Any], changes: Mapping[str, Any] | None = None) -> StudyConfig:
    """From nested values, with dotted changes to its `run`. Raises ConfigError, in one line."""
    try:
        study = StudyConfig.model_validate(values)
    except ValidationError as error:
        raise explain(error, StudyConfig) from None
    study = study.model_copy(update={"run": merge(merge({}, study.run), changes or {})})
    if any(sweep.field is None and sweep.values != [None] for sweep in study.sweeps):
        raise ConfigError("a sweep has values, but no field: say whose values they are, e.g. field: noise")
    list(programs(study))
    return study


def load_study(path: Path, changes: Mapping[str, Any]) -> StudyConfig:
    """The same from a YAML file. Raises ConfigError that names it."""
    try:
        return build_study(read_mapping(path), changes)
    except ConfigError as error:
        raise error.within(f"study {path}") from None


def programs(study: StudyConfig) -> Iterator[Program]:
    """All of a study's programs, in order. Raises ConfigError for a setting that is wrong or a protocol unheard of."""
    _check_names(study)
    for sweep in study.sweeps:
        _check_values(sweep)
        for name in sweep.protocols or study.changes:
            if name not in study.changes:
                hint = did_you_mean(name, study.changes)
                raise ConfigError(f"unknown protocol '{name}'{hint}; there are {', '.join(study.changes)}")
            of_values = [(value, config_of(study, name, sweep.field, value)) for value in sweep.values]
            at_once = sweep.field in SWEPT and not of_values[0][1].evolves
            for side_by_side in [of_values] if at_once else [[each] for each in of_values]:
                values, cfgs = map(list, zip(*side_by_side, strict=True))
                # The largest value decides which stages the program has.
                numbers = [getattr(cfg.comm, sweep.field) if sweep.field else 0 for cfg in cfgs]
                largest = numbers.index(max(numbers))
                if len(values) > 1:
                    _check_is_read(name, sweep, cfgs[largest])
                yield Program(name, sweep.field, values, cfgs[largest], cfgs)


def _check_names(study: StudyConfig) -> None:
    if not study.changes:
        raise ConfigError("nothing is compared: 'protocols' or 'variants' must name what is")
    if both := study.protocols.keys() & study.variants.keys():
        raise ConfigError(f"'{min(both)}' names a protocol and a variant")


def _check_values(sweep: Sweep) -> None:
    for value in sweep.values:
        if sweep.values.count(value) > 1:
            raise ConfigError(f"the sweep of {sweep.field} has the value {shown(value)} twice")


def _check_is_read(protocol: str, sweep: Sweep, cfg: Config) -> None:
    """Raises ConfigError unless the channel of the program reads what is swept in it."""
    channel = cfg.channel(cfg.make_env())
    if not (cfg.comm.rounds and channel.uses(str(sweep.field))):
        raise ConfigError(
            f"comm.{sweep.field} changes nothing in protocol '{protocol}': no stage of its channel reads it"
        )


def config_of(study: StudyConfig, protocol: str, field: str | None, value: Any) -> Config:
    """The config of one protocol or variant with one value. Raises ConfigError."""
    changes = study.changes[protocol] | ({} if field is None else {f"comm.{field}": value})
    for key in changes:
        if key.partition(".")[0] in ("env", "opponents"):
            raise ConfigError(f"'{protocol}' changes {key}, but a study is of one task; set it in 'run'")
        if key.partition(".")[0] == "train_env" and study.level is not None:
            raise ConfigError(
                f"'{protocol}' changes {key}, so that its returns in training are of another task, and steps to a "
                "level of them cannot be compared: leave level away"
            )
    cfg = build_config(changed(study.run, changes))
    if frozen_opponents(cfg):
        raise ConfigError("a study keeps no run folders, in which opponents out of runs are kept; use scripted sides")
    if cfg.control:
        raise ConfigError("control belongs to a run; in a study, add a protocol with preset: none")
    return cfg
