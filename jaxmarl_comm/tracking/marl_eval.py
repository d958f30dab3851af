"""Runs in the JSON schema of marl-eval, in which algorithms are compared over seeds and tasks (Gorsane et al. 2022).

{environment: {task: {algorithm: {seed_0: {step_1: {step_count: int, METRIC: [value]}, ..., absolute_metrics: {METRIC:
[value]}}, ...}}}}. Each list holds one value, a mean over episodes, as marl-eval has it for what is known of all
episodes together; it takes the mean of a list whatever its length. There are no times: metrics.jsonl knows none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxmarl_comm.files import RunError
from jaxmarl_comm.repeat import arguments_of
from jaxmarl_comm.results.record import STAMP, finished
from jaxmarl_comm.run_folder import Row, RunFolder

ENVIRONMENT = "MPE"
SHORT = "eval_"  # what a row calls a measure of the short evaluations in training


class Evaluated(NamedTuple):
    """A finished run. rows: those with short evaluations. measures: name -> each seed's, of the whole evaluation."""

    path: Path
    task: str
    algorithm: str
    num_seeds: int
    rows: list[Row]
    measures: dict[str, list[float | None]]


def export_marl_eval(runs: Sequence[Path], output: Path | None = None) -> str:
    """All runs in one new JSON file, `marl-eval-1.json` (-2, ...) in the first one's folder if None; where that is.

    Raises RunError for runs that marl-eval could not compare: all tasks need the same algorithms, all runs as many
    seeds and short evaluations in training. And if a run is not finished or evaluated, or the file cannot be written.
    """
    found = named([evaluated(path) for path in dict.fromkeys(runs)])
    check_alike(found)
    metrics = common_metrics(found)
    tree: dict[str, dict[str, Any]] = {}
    for run in found:
        tree.setdefault(run.task, {})[run.algorithm] = of_seeds(run, metrics)
    text = json.dumps({ENVIRONMENT: tree}, indent=2, allow_nan=False) + "\n"
    folder = RunFolder(found[0].path)
    path = folder.write_new_file([output] if output else folder.numbered("marl-eval", ".json"), text)
    return (
        f"written to {path}: {', '.join(metrics)} of {', '.join(dict.fromkeys(run.algorithm for run in found))} on "
        f"{', '.join(tree)}, as means over episodes"
    )


def evaluated(path: Path) -> Evaluated:
    """Raises RunError if it is not finished, or has no short evaluations in training."""
    _, cfg, _, evaluation, rows = finished(path)
    short = [row for row in rows if any(name.startswith(SHORT) for name in row)]
    if not short:
        raise RunError(f"{path} was never evaluated in training, which marl-eval needs: its eval_interval was 0")
    measures = {
        name: found["of_each_seed"]
        for name, found in evaluation.items()
        if isinstance(found, Mapping) and isinstance(found.get("of_each_seed"), list)
    }
    task = "_".join([cfg.env.name, *(f"{name}_{value}" for name, value in arguments_of(cfg).items())])
    return Evaluated(path, task, f"{cfg.algorithm}_{cfg.comm.preset}", cfg.num_seeds, short, measures)


def named(runs: list[Evaluated]) -> list[Evaluated]:
    """The same; where several would have one name in a task, each is called as its folder.

    Raises RunError if that does not tell them apart either.
    """
    names = [(run.task, run.algorithm) for run in runs]
    renamed = [
        run._replace(algorithm=folder_name(run)) if names.count(at) > 1 else run
        for at, run in zip(names, runs, strict=True)
    ]
    first: dict[tuple[str, str], Evaluated] = {}
    for run in renamed:
        before = first.setdefault((run.task, run.algorithm.lower()), run)  # as marl-eval reads it
        if before is not run:
            raise RunError(f"{before.path} and {run.path} would both be {run.algorithm} on {run.task}: rename a folder")
    return renamed


def folder_name(run: Evaluated) -> str:
    """Without the time in it, and without commas, which marl-eval does not take."""
    return STAMP.sub("", run.path.resolve().name).replace(",", "_")


def check_alike(runs: Sequence[Evaluated]) -> None:
    """Raises RunError unless each task has the same algorithms, and each run as many seeds and short evaluations."""
    algorithms: dict[str, set[str]] = {}
    for run in runs:
        algorithms.setdefault(run.task, set()).add(run.algorithm)
        for what, ours, theirs in (
            ("seeds", run.num_seeds, runs[0].num_seeds),
            ("short evaluations in training", len(run.rows), len(runs[0].rows)),
        ):
            if ours != theirs:
                raise RunError(f"{run.path} has {ours} {what}, but {runs[0].path} {theirs}: marl-eval needs as many")
    every = set().union(*algorithms.values())
    for task, there in algorithms.items():
        if missing := sorted(every - there):
            raise RunError(f"there is no run of {missing[0]} on {task}: marl-eval needs every algorithm on every task")


def common_metrics(runs: Sequence[Evaluated]) -> list[str]:
    """Measures known of every seed of every run, in each short evaluation and the whole one. Raises RunError."""
    known = [
        name
        for name in (key.removeprefix(SHORT) for key in runs[0].rows[0] if key.startswith(SHORT))
        if all(is_known(run, name) for run in runs)
    ]
    if not known:
        raise RunError("there is no measure that all of these runs have in all evaluations")
    return known


def is_known(run: Evaluated, name: str) -> bool:
    values = [run.measures.get(name, []), *(row.get(f"{SHORT}{name}", []) for row in run.rows)]
    return all(len(each) == run.num_seeds and all(type(x) in (int, float) for x in each) for each in values)


def of_seeds(run: Evaluated, metrics: Sequence[str]) -> dict[str, Any]:
    """What stands under an algorithm."""
    return {f"seed_{seed}": of_seed(run, metrics, seed) for seed in range(run.num_seeds)}


def of_seed(run: Evaluated, metrics: Sequence[str], seed: int) -> dict[str, Any]:
    """Steps, counted from 1, and the absolute metrics: those of the last policy, on all episodes of evaluation.json."""
    steps = {
        f"step_{k}": {"step_count": row["env_steps"], **{name: [row[f"{SHORT}{name}"][seed]] for name in metrics}}
        for k, row in enumerate(run.rows, start=1)
    }
    return steps | {"absolute_metrics": {name: [run.measures[name][seed]] for name in metrics}}
