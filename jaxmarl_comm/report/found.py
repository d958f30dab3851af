"""What a file of numbers must hold, so that tables, pictures and pages can be made of it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, model_validator

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.report.table import CURVES, labels


class Part(BaseModel):
    """Some keys of a mapping from JSON, exactly of these types."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Found(Part):
    """An estimate; None where it is undefined. iqm: of four seeds or more."""

    mean: float | None
    low: float | None
    high: float | None
    of_each_seed: list[float | None]
    iqm: float = 0.0
    iqm_low: float | None = None
    iqm_high: float | None = None


class Seconds(Part):
    train: float


class OfControl(Part):
    env_steps: NonNegativeInt


class Basics(Part):
    """What evaluation.json holds beside estimates of the team, and a record is made of."""

    teams: list[str]
    seconds: Seconds
    episodes: NonNegativeInt
    control: OfControl | None
    baselines: dict[str, dict[str, Found]]
    ladder: dict[str, float | None] | None


def is_evaluation(content: Any, measures: Iterable[str]) -> bool:
    """Whether this is an evaluation in which each of these measures is an estimate, or unknown."""
    try:
        Basics.model_validate(content)
        for name in measures:
            if content.get(name) is not None:
                Found.model_validate(content[name])
    except ValidationError:
        return False
    return True


class Rungs(Part):
    """A ladder: see `Ladder`."""

    silent: float | None
    oracle: float | None
    attainable: float | None = None
    attainable_success: float | None = None


class MessageTable(Part):
    """Which symbol met which goal, of one agent: see `message_tables`."""

    symbols: list[NonNegativeInt]
    counts: list[list[NonNegativeInt]] = Field(min_length=1)
    n: int = Field(ge=1)
    information: float | None

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if len(self.counts) != len(self.symbols) or len({len(row) for row in self.counts}) != 1:
            raise ValueError("a row for each symbol, a column for each goal")
        return self


class Measured(Part):
    """What the task itself measures."""

    measured: list[str] = Field(default_factory=list)  # older evaluations have none


class Control(Part):
    """The silent team that an evaluation was compared with."""

    source: str
    env_steps: NonNegativeInt
    interval_over: str
    found: dict[str, Found]


class Evaluated(Measured):
    """What `evaluation.json` holds, sorted; measure -> estimate, of those alone that are defined.

    found: of the trained teams. worse: `return_with_noise` and so on -> value -> estimate.
    """

    found: dict[str, Found]
    untrained: dict[str, Found]
    worse: dict[str, dict[float, Found]]
    baselines: dict[str, dict[str, Found]]
    control: Control | None
    ladder: Rungs | None
    message_table: dict[str, MessageTable] | None
    protocol_fraction: float | None
    protocol_interval: list[float] | None = Field(min_length=2, max_length=2)
    warnings: list[str]
    interval_over: str
    episodes: NonNegativeInt
    episodes_reference: NonNegativeInt
    iteration: NonNegativeInt | None = None  # older evaluations do not say
    env_steps: NonNegativeInt | None = None
    arguments: dict[str, Any] | None = None
    seconds: dict[str, float]

    @classmethod
    def of(cls, evaluation: Mapping[str, Any], teams: Iterable[str]) -> Self:
        """What an evaluation of a task with these teams says. Raises ValueError for what is none."""
        names, content = list(teams), dict(evaluation)
        own = Measured.model_validate(content).measured
        measures, worse = list(labels(names, own)), [name for base in CURVES for name in per_team(base, names)]
        control = content.get("control")
        return cls.model_validate(
            content
            | {
                "found": _defined(content, measures),
                "untrained": _defined(content.get("untrained"), measures),
                "worse": {name: _by_number(content.get(name) or {}) for name in worse},
                "baselines": {
                    name: _defined(each, measures) for name, each in _mapping(content.get("baselines")).items()
                },
                "control": control and {**_mapping(control), "found": _defined(control, measures)},
            }
        )


def _defined(content: Any, measures: Iterable[str]) -> dict[str, Any]:
    """Those of the measures that have a mean."""
    known = _mapping(content)
    return {name: known[name] for name in measures if known.get(name) and _mapping(known[name]).get("mean") is not None}


def _by_number(content: Any) -> dict[float, Any]:
    return {float(value): found for value, found in _mapping(content).items()}


def _mapping(content: Any) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError("not a mapping")
    return content
