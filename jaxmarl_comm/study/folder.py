"""The folder in which a study leaves what it did and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import yaml

from jaxmarl_comm.envs.base import Env
from jaxmarl_comm.files import RunError, create_folder, locked, read_bytes, write_whole
from jaxmarl_comm.report.study import study_table
from jaxmarl_comm.report.study_picture import plot_study
from jaxmarl_comm.run_folder import without_nan
from jaxmarl_comm.study.config import Program, StudyConfig, load_study

Row = dict[str, Any]
KEYS = {"protocol", "field", "value", "diverged", "untrained", "curve", "interval_over"}


class StudyFolder:
    """Paths and files of one study."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.study = path / "study.yaml"
        self.results = path / "results.json"
        self.table = path / "table.md"
        self.picture = path / "study.png"

    @classmethod
    def create(cls, path: Path, study: StudyConfig) -> StudyFolder:
        """A new folder with the study's settings. Raises RunError if it exists or cannot be written."""
        create_folder(path, {"study.yaml": yaml.safe_dump(study.model_dump(), sort_keys=False)})
        return cls(path)

    def locked(self) -> AbstractContextManager[None]:
        """While inside, no other process writes here. Raises RunError if one does."""
        return locked(self.path)

    @classmethod
    def open(cls, path: Path) -> tuple[StudyFolder, StudyConfig]:
        """An existing folder and its study. Raises RunError if there is none."""
        folder = cls(path)
        if not folder.study.is_file():
            raise RunError(f"{path} is not a study's folder: it has no study.yaml")
        return folder, load_study(folder.study, {})

    def read(self) -> list[Row]:
        """The rows of results so far. Raises RunError if they are damaged."""
        try:
            rows = json.loads(read_bytes(self.results))
        except FileNotFoundError:
            return []
        except (ValueError, RecursionError):
            rows = None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and set(row) >= KEYS for row in rows):
            raise RunError(f"{self.results} is damaged; delete it to train the study's programs again")
        return rows

    def write(self, rows: Sequence[Row], env: Env) -> None:
        """All results so far, of one task. Raises RunError."""
        write_whole(self.results, json.dumps(without_nan(rows), indent=2) + "\n")
        write_whole(self.table, study_table(rows, env.team_names))
        plot_study(rows, env.name, self.picture, env.ladder, env.team_names)


def is_done(program: Program, rows: Sequence[Row]) -> bool:
    """Whether there are results of all of a program's values."""
    known = [(row["protocol"], row["field"], row["value"]) for row in rows]
    return all((program.protocol, program.field, value) in known for value in program.values)
