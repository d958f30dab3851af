"""The folder in which a study leaves what it did and what came of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from jaxmarl_comm.report.study import plot_study, study_table
from jaxmarl_comm.run_folder import RunError, make_folder, without_nan, write_whole
from jaxmarl_comm.study.config import Program, StudyConfig, load_study

Row = dict[str, Any]


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
        folder = cls(path)
        make_folder(path)
        write_whole(folder.study, yaml.safe_dump(study.model_dump(), sort_keys=False))
        return folder

    @classmethod
    def open(cls, path: Path) -> tuple[StudyFolder, StudyConfig]:
        """An existing folder and its study. Raises RunError if there is none."""
        folder = cls(path)
        if not folder.study.is_file():
            raise RunError(f"{path} is not a study's folder: it has no study.yaml")
        return folder, load_study(folder.study, {})

    def read(self) -> list[Row]:
        """The rows of results so far."""
        return json.loads(self.results.read_text(encoding="utf-8")) if self.results.exists() else []

    def write(self, rows: Sequence[Row], task: str) -> None:
        """All results so far. Raises RunError."""
        write_whole(self.results, json.dumps(without_nan(rows), indent=2) + "\n")
        write_whole(self.table, study_table(rows))
        plot_study(rows, task, self.picture)


def is_done(program: Program, rows: Sequence[Row]) -> bool:
    """Whether there are results of all of a program's values."""
    known = [(row["protocol"], row["field"], row["value"]) for row in rows]
    return all((program.protocol, program.field, value) in known for value in program.values)
