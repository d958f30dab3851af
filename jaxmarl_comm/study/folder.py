"""The folder in which a study leaves what it did and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from jaxmarl_comm.config import Config, ConfigError, build_config, differing_keys
from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.envs.outside import from_stranger
from jaxmarl_comm.files import RunError, clear_drafts, create_folder, locked, read_bytes, write_whole
from jaxmarl_comm.report.study import study_table
from jaxmarl_comm.report.study_picture import plot_study
from jaxmarl_comm.run_folder import without_nan
from jaxmarl_comm.study.config import Program, StudyConfig, load_study, programs
from jaxmarl_comm.study.row import is_row

Row = dict[str, Any]


class StudyFolder:
    """Paths and files of one study."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.study = path / "study.yaml"
        self.results = path / "results.json"
        self.table = path / "table.md"
        self.picture = path / "study.png"
        self.report = path / "report.html"
        files = (self.study, self.results, self.table, self.picture, self.picture.with_suffix(".svg"), self.report)
        self._own = [file.name for file in files]

    @classmethod
    def create(cls, path: Path, study: StudyConfig) -> StudyFolder:
        """A new folder with the study's settings. Raises RunError if it exists or cannot be written."""
        create_folder(path, {"study.yaml": yaml.safe_dump(study.model_dump(), sort_keys=False)})
        return cls(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """While inside, no other process writes here. Raises RunError if one does."""
        with locked(self.path):
            clear_drafts(self.path, self._own)
            yield

    @classmethod
    def open(cls, path: Path) -> tuple[StudyFolder, StudyConfig]:
        """An existing folder and its study. Raises RunError if there is none."""
        folder = cls(path)
        if not folder.study.is_file():
            raise RunError(f"{path} is not a study's folder: it has no study.yaml")
        with from_stranger(path):
            return folder, load_study(folder.study, {})

    def read(self, study: StudyConfig, env: Env) -> list[Row]:
        """The rows of results so far. Raises RunError if they are damaged, or of other settings than the study's."""
        try:
            rows = json.loads(read_bytes(self.results))
        except FileNotFoundError:
            return []
        except (ValueError, RecursionError):
            rows = None
        if not isinstance(rows, list) or not all(is_row(row, env.team_names) for row in rows):
            raise RunError(
                f"{self.results} is damaged, or of an older version; delete it to train the study's programs again"
            )
        for row in rows:
            self._check_settings(row, study)
        return rows

    def _check_settings(self, row: Row, study: StudyConfig) -> None:
        if changed := changed_settings(row, study):
            setting = f", {row['field']} {row['value']}" if row["field"] else ""
            raise RunError(
                f"{self.path} holds results of other settings than its study.yaml: {row['protocol']}{setting}: "
                f"{changed}; undo the change, or begin a new study"
            )

    def write(self, rows: Sequence[Row], env: Env) -> None:
        """All results so far, of one task. Raises RunError."""
        write_whole(self.results, json.dumps(without_nan(rows), indent=2) + "\n")
        write_whole(self.table, study_table(rows, env.team_names))
        plot_study(rows, env.name, self.picture, env.ladder, env.team_names)


def changed_settings(row: Row, study: StudyConfig) -> str:
    """In what a row of results is not of the study, in words; nothing if it is."""
    if row.get("steps_to_level", {}).get("level") != study.level:
        return "level differs"
    place = row["protocol"], row["field"], row["value"]
    for program in programs(study):
        for value, cfg in zip(program.values, program.cfgs, strict=True):
            if place == (program.protocol, program.field, value):
                return _differing(row["config"], cfg)
    return "not in the study"


def _differing(before: dict[str, Any], now: Config) -> str:
    try:
        keys = differing_keys(build_config(before), now)
    except ConfigError as error:
        return str(error)
    return f"{', '.join(keys)} differ" if keys else ""


def is_done(program: Program, rows: Sequence[Row]) -> bool:
    """Whether there are results of all of a program's values."""
    known = [(row["protocol"], row["field"], row["value"]) for row in rows]
    return all((program.protocol, program.field, value) in known for value in program.values)
