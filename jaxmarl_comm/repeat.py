"""What trains a run again: its config, and the command."""

from __future__ import annotations

import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jaxmarl_comm.comm.config import CommConfig
from jaxmarl_comm.config import DEFAULT_ALGORITHM, Config
from jaxmarl_comm.dotted import TASK, flatten
from jaxmarl_comm.envs import env_class
from jaxmarl_comm.envs.foreign import PREFIX
from jaxmarl_comm.options import read_value
from jaxmarl_comm.run_folder import RunError, RunFolder

TOLD_ELSEWHERE = ("env.name", "control")  # in the command itself


def trained_as(path: Path) -> Config:
    """The config that what is in a run folder was trained by: that of populations, of their fittest, too.

    Raises RunError if there is no run.
    """
    _, cfg = RunFolder.read(path)
    around = RunFolder(path.resolve().parent)
    if cfg.evolves or around.fittest != path.resolve():
        return cfg
    try:
        _, of_populations = RunFolder.read(around.path)
    except RunError:  # a run that somebody has named so
        return cfg
    return of_populations if of_populations.evolves else cfg


def command(cfg: Config) -> str:
    """The command that trains such a run: all settings that are not the defaults of its kind."""
    usual = dict(flatten({**defaults(cfg), "comm": CommConfig(preset=cfg.comm.preset).model_dump()}))
    words = [f"--env.name {cfg.env.name}", f"--comm.preset {cfg.comm.preset}"]
    for key, value in flatten(cfg.model_dump(mode="json")):
        given = key.startswith(TASK) and key not in usual  # where None is a value like others
        if key not in TOLD_ELSEWHERE and (given or usual.get(key) != value):
            words.append(f"{shlex.quote(f'--{key}')} {shell_word(value)}")
    return " ".join(["python scripts/train.py", *dict.fromkeys(words), *(["--control"] if cfg.control else [])])


def arguments_of(cfg: Config) -> dict[str, Any]:
    """The task's arguments that are not their defaults, by name."""
    known = () if cfg.env.name.startswith(PREFIX) else fields(env_class(cfg.env.name))
    usual = {field.name: field.default for field in known}
    given = sorted(cfg.env.arguments.items())
    return {name: value for name, value in given if name not in usual or usual[name] != value}


def defaults(cfg: Config) -> dict[str, Any]:
    """What this algorithm's settings are where none is given, and which algorithm it is where that is not."""
    own = {name: field.get_default(call_default_factory=True) for name, field in type(cfg).model_fields.items()}
    plain = {name: value.model_dump() if isinstance(value, BaseModel) else value for name, value in own.items()}
    return plain | {"algorithm": DEFAULT_ALGORITHM}


def shell_word(value: Any) -> str:
    """A value as one word of a command line, which YAML reads as it was."""
    is_plain = isinstance(value, str) and read_value(value) == value
    return shlex.quote(value if is_plain else json.dumps(value))
