"""What a row of a study's results must hold, so that table and picture can be made of it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, NonNegativeInt, ValidationError

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.report.found import Found, Measured, Part

OF_TEAMS = ("return", "success", "return_muted")


class Untrained(Part):
    message_information: Found


class StepsToLevel(Part):
    level: float
    median: float | None
    of_each_seed: list[float | None]
    reached: NonNegativeInt


class StudyRow(Measured):
    """config: of the runs, to know whether they are still those of the study. Estimates of teams: see `is_row`."""

    protocol: str
    field: str | None
    value: Any
    config: dict[str, Any]
    curve: dict[str, Any]
    steps_to_level: StepsToLevel | None = None
    steps_per_second: float
    message_information: Found
    bits_per_step: Found
    untrained: Untrained
    protocol_fraction: float | None
    protocol_interval: list[float] | None = Field(None, min_length=2, max_length=2)
    diverged: NonNegativeInt
    interval_over: str


def is_row(row: Any, team_names: Sequence[str]) -> bool:
    """Whether this is a row, with estimates of OF_TEAMS for each team, and of what the task measures."""
    try:
        own = StudyRow.model_validate(row).measured
        for name in (*own, *(column for measure in OF_TEAMS for column in per_team(measure, team_names))):
            Found.model_validate(row.get(name))
    except ValidationError:
        return False
    return True
