"""What results that were read from a file must hold, whoever wrote it, so that tables can be made of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError


class Part(BaseModel):
    """Some keys of a mapping from JSON, exactly of these types."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Found(Part):
    """An estimate; None where it is undefined."""

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


class Whole(Part):
    """evaluation.json, but for the estimates of the team: see `is_evaluation`."""

    teams: list[str]
    seconds: Seconds
    episodes: NonNegativeInt
    control: OfControl | None
    baselines: dict[str, dict[str, Found]]
    ladder: dict[str, float | None] | None


def is_evaluation(content: Any, measures: Iterable[str]) -> bool:
    """Whether this is an evaluation in which each of these measures is an estimate, or unknown."""
    try:
        Whole.model_validate(content)
        for name in measures:
            if content.get(name) is not None:
                Found.model_validate(content[name])
    except ValidationError:
        return False
    return True
