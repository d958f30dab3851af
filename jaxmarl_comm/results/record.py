"""What is kept of a finished run: little enough to be committed, and enough to draw the page again without the run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, NonNegativeInt, model_validator

from jaxmarl_comm.config import Config
from jaxmarl_comm.envs.base import Env, per_team
from jaxmarl_comm.files import RunError, read_bytes
from jaxmarl_comm.repeat import arguments_of, command, trained_as
from jaxmarl_comm.report.found import Found, OfControl, Part, Rungs, is_evaluation
from jaxmarl_comm.run_folder import RunFolder, numbers

Record = dict[str, Any]

OF_TEAMS = ("return", "return_reference", "success", "value_of_talk")
OF_ALL = ("message_information",)
CURVES = ("eval_return", "eval_success")
STAMP = re.compile(r"-\d{8}-\d{6}$")  # that a folder's default name ends with
CROSSPLAY = ("rows", "columns", "runs", "episodes")
EXPLOIT = ("sides", "responders", "env_steps", "episodes")


class Curve(Part, extra="allow"):
    """Of each short evaluation in training env_steps and, by name, a measure of every seed."""

    env_steps: list[float]

    @model_validator(mode="after")
    def _of_one_length(self) -> Self:
        if any(len(values) != len(self.env_steps) for values in (self.model_extra or {}).values()):
            raise ValueError("measures of other evaluations than env_steps")
        return self


class Kept(Part):
    """What a record holds."""

    name: str
    task: str
    arguments: dict[str, Any]
    continuous: bool
    teams: list[str] = Field(min_length=1)
    algorithm: str
    channel: str
    num_seeds: NonNegativeInt
    env_steps: NonNegativeInt
    train_seconds: float
    episodes: NonNegativeInt
    command: str
    found: dict[str, Found | None]
    control: OfControl | None
    baselines: dict[str, dict[str, Found]]
    ladder: Rungs | None
    curve: Curve
    crossplay: dict[str, Any] | None
    exploit: dict[str, Any] | None


class Finished(NamedTuple):
    """A run that was trained and evaluated to the end, all of whose sides learned."""

    folder: RunFolder
    cfg: Config
    env: Env
    evaluation: dict[str, Any]
    rows: list[dict[str, Any]]


def finished(path: Path) -> Finished:
    """The run in this folder. Raises RunError if it is none, is not finished, or needs others' runs."""
    folder, cfg = RunFolder.open(path)
    if cfg.opponents:
        raise RunError(f"{path} has trained one side alone (opponents), but only runs in which all learn are compared")
    env = cfg.make_env()
    evaluation = read_evaluation(folder.evaluation, env)
    rows = folder.read_metrics(cfg.num_seeds)
    if not rows or rows[-1]["iteration"] < cfg.num_iters:
        raise RunError(f"{path} is not finished: go on with --resume {path}")
    if evaluation.get("iteration") != rows[-1]["iteration"]:
        raise RunError(f"{path} was not evaluated since it went on: --resume {path}")
    if evaluation.get("arguments", cfg.env.arguments) != cfg.env.arguments:
        raise RunError(f"{folder.evaluation} is of a task with other arguments than {path} has learned")
    return Finished(folder, cfg, env, evaluation, rows)


def record_of(path: Path) -> Record:
    """Of the finished run in this folder. Raises RunError, see `finished`."""
    folder, cfg, env, evaluation, rows = finished(path)
    trained = trained_as(folder.path)
    return {
        "name": STAMP.sub("", path.resolve().name),
        "task": cfg.env.name,
        "arguments": {name: value for name, value in arguments_of(cfg).items() if name != "continuous_actions"},
        "continuous": env.continuous_actions,
        "teams": list(env.team_names),
        "algorithm": cfg.algorithm,
        "channel": cfg.comm.preset,
        "num_seeds": cfg.num_seeds,
        "env_steps": cfg.env_steps * trained.evolution.population_size,
        "train_seconds": evaluation["seconds"]["train"],
        "episodes": evaluation["episodes"],
        "command": command(trained),
        "found": {name: evaluation.get(name) for name in measures_of(env)},
        "control": evaluation["control"] and {"env_steps": evaluation["control"]["env_steps"]},
        "baselines": evaluation["baselines"],
        "ladder": evaluation["ladder"],
        "curve": curve(env, rows),
        "crossplay": newest(folder.path, "crossplay", CROSSPLAY, rows[-1]["iteration"]),
        "exploit": newest(path, "exploit", EXPLOIT, rows[-1]["iteration"]),
    }


def measures_of(env: Env) -> list[str]:
    """What is told of a run of this task."""
    return [*(name for measure in OF_TEAMS for name in per_team(measure, env.team_names)), *OF_ALL]


def read_evaluation(path: Path, env: Env) -> dict[str, Any]:
    """What an evaluation.json of this task holds. Raises RunError if there is none from which a record can be made."""
    found = read_object(path)
    if not is_evaluation(found, measures_of(env)):
        raise damaged(path)
    return found


def read_object(path: Path) -> Any:
    """What stands in an evaluation.json, whatever it is. Raises RunError."""
    try:
        return json.loads(read_bytes(path))
    except FileNotFoundError:
        raise RunError(f"{path.parent} was not evaluated: go on with --resume {path.parent}") from None
    except (ValueError, RecursionError):
        raise damaged(path) from None


def damaged(path: Path) -> RunError:
    """What to say of an evaluation that is none."""
    return RunError(f"{path} is damaged; train --resume {path.parent} evaluates the run again")


def curve(env: Env, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """`env_steps`, and of each short evaluation in training every seed's measure; JSON's null where undefined."""
    evaluated = [row for row in rows if any(name.startswith("eval_") for name in row)]
    names = [name for measure in CURVES for name in env.per_team(measure)]
    of_names = {name: [rounded(row[name]) for row in evaluated] for name in names if all(name in r for r in evaluated)}
    return {"env_steps": [row["env_steps"] for row in evaluated], **of_names}


def rounded(values: list[float | None]) -> list[float | None]:
    """To what a picture shows."""
    return [None if x is None else round(x, 3) for x in values]


def newest(run: Path, kind: str, keys: tuple[str, ...], iteration: int) -> dict[str, Any] | None:
    """These keys of the latest of `KIND-1/KIND.json`, `KIND-2/KIND.json`, ... in a run's folder; None if none is there.

    Raises RunError if it is damaged, or of another iteration of the run than this one.
    """
    for k in reversed(numbers(run, kind)):
        path = run / f"{kind}-{k}" / f"{kind}.json"
        try:
            content = json.loads(read_bytes(path))
        except (FileNotFoundError, NotADirectoryError):
            continue  # begun, but nothing came of it yet
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or not content.keys() >= {*keys}:
            raise RunError(f"{path} is damaged; delete its folder")
        if (then := iteration_of(content)) not in (None, iteration):
            raise RunError(
                f"{path.parent} is of iteration {then}, but the run went on to {iteration}: {kind}.py {run} makes "
                "another, or delete that folder"
            )
        return {key: without_paths(content[key]) for key in keys}
    return None


def iteration_of(content: Mapping[str, Any]) -> Any:
    """Of the run in whose folder this cross-play or exploit is; None where it does not say."""
    runs = content.get("runs")
    first = runs[0] if isinstance(runs, list) and runs else content
    return first.get("iteration") if isinstance(first, Mapping) else None


def without_paths(x: Any) -> Any:
    """The same without the folders that entries are from, which mean nothing elsewhere."""
    if isinstance(x, Mapping):
        return {key: without_paths(value) for key, value in x.items() if key != "run"}
    return [without_paths(value) for value in x] if isinstance(x, list) else x
