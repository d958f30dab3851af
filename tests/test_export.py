"""Metrics where others look at them, read back: what a run has logged, once, at its steps."""

import contextlib
import json
import struct
import sys
import threading
import time
from typing import ClassVar

import pytest
from tensorboardX.proto.event_pb2 import Event

from jaxmarl_comm import RunError, default_cfg
from jaxmarl_comm.cli import export_main
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.tracking import following
from jaxmarl_comm.tracking.tensorboard import export_tensorboard
from runs import TINY, call, logged_run

ROWS = [
    {"iteration": 2, "env_steps": 200, "return": [-3.0, -5.0], "target": [1.0, None]},
    {"iteration": 4, "env_steps": 400, "return": [-1.0, -2.0], "target": [2.0, 4.0]},
]
SHORT = [
    {"iteration": 2, "env_steps": 200, "return": [-3.0, -5.0]},
    {"iteration": 4, "env_steps": 400, "return": [-2, -3], "eval_return": [-2.0, -4.0], "eval_success": [0.1, 0.2]},
    {"iteration": 6, "env_steps": 600, "return": [-1, -2], "eval_return": [-1.0, -3.0], "eval_success": [0.3, 0.4]},
]
"""Of a finished run."""


@pytest.fixture
def run(tmp_path):
    return logged_run(tmp_path / "run", ROWS)


def evaluated(path, rows=SHORT, found=None, **changes):
    """A finished run of two seeds."""
    cfg = default_cfg().replace({**TINY, "num_seeds": 2, **changes})
    folder = RunFolder.create(path, cfg)
    for row in rows:
        folder.append_metrics(row)
    known = {"return": [-0.5, -2.5], "success": [0.5, 0.6]} | (found or {})
    estimates = {name: {"mean": 0.0, "low": None, "high": None, "of_each_seed": each} for name, each in known.items()}
    more = {"teams": ["good"], "seconds": {"train": 1.0}, "episodes": 10, "control": None, "baselines": {}}
    folder.write_json(folder.evaluation, estimates | more | {"ladder": None, "iteration": rows[-1]["iteration"]})
    return path


def events(folder):
    """(tag, step) -> value, of all records in a folder's one file: length, its checksum, the event, its checksum."""
    (file,) = folder.iterdir()
    data, found = file.read_bytes(), {}
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + length])
        for value in event.summary.value:
            assert (value.tag, event.step) not in found
            found[value.tag, event.step] = value.simple_value
        data = data[16 + length :]
    return found


def test_each_seed_and_the_mean_are_read_back(run):
    path = export_tensorboard(run)
    assert sorted(each.name for each in path.iterdir()) == ["mean", "seed_0", "seed_1"]
    assert events(path / "seed_0") == {
        ("return", 200): -3.0,
        ("return", 400): -1.0,
        ("target", 200): 1.0,
        ("target", 400): 2.0,
    }
    assert events(path / "seed_1") == {("return", 200): -5.0, ("return", 400): -2.0, ("target", 400): 4.0}
    assert events(path / "mean") == {("return", 200): -4.0, ("return", 400): -1.5, ("target", 400): 3.0}


def test_made_again_nothing_is_there_twice(run):
    export_tensorboard(run)
    row = {"iteration": 6, "env_steps": 600, "return": [0.0, 0.5]}
    RunFolder(run).append_metrics(row)
    found = events(export_tensorboard(run) / "seed_1")
    assert found["return", 600] == 0.5 and len(found) == 4
    assert not [path for path in run.iterdir() if path.name.endswith(".part")]


def test_mistakes_are_told_in_one_line(run, tmp_path, capsys):
    status, errors = call(export_main, [run, tmp_path / "nowhere"], capsys)
    assert status == 1 and errors.endswith("nowhere is not a run folder: it has no config.yaml\n")
    (run / "metrics.jsonl").unlink()
    with pytest.raises(RunError, match="has no metrics yet"):
        export_tensorboard(run)


@pytest.mark.parametrize(("package", "to"), [("tensorboardX", "tensorboard"), ("wandb", "wandb")])
def test_without_a_package_it_is_said_how_to_get_it(run, package, to, monkeypatch, capsys):
    before = events(export_tensorboard(run) / "mean")
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("jaxmarl_comm.tracking.wandb_runs.find_spec", lambda name: None)
    status, errors = call(export_main, [run, "--to", to], capsys)
    assert status == 1 and f"pip install 'jaxmarl_comm[{to}]'" in errors
    assert events(run / "tensorboard" / "mean") == before


# Weights & Biases, without it: see test_wandb.py for the package itself


class Told:
    """In the place of WandbRuns: who was told what."""

    rows: ClassVar[list] = []
    wait = threading.Event()

    def __init__(self, folder, cfg, first, where, project):
        self.rows.append(("first", first["iteration"], project))

    def write(self, rows):
        self.wait.wait(10)
        self.rows.append([row["iteration"] for row in rows])

    def close(self):
        self.rows.append("closed")


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(following, "refusals", contextlib.nullcontext)
    monkeypatch.setattr(following, "INTERVAL", 0.01)
    monkeypatch.setattr(following, "WandbRuns", Told)
    monkeypatch.setattr(Told, "rows", [])
    monkeypatch.setattr(Told, "wait", threading.Event())
    return Told


def test_rows_are_sent_as_they_come(run, told):
    told.wait.set()
    folder, cfg = RunFolder.open(run)
    with following.followed(folder, cfg, "words"):
        while [2, 4] not in told.rows:
            time.sleep(0.01)
        folder.append_metrics(ROWS[1] | {"iteration": 6})
    assert told.rows[0] == ("first", 2, "words") and told.rows[-2:] == [[2, 4, 6], "closed"]


def test_a_run_never_waits_for_who_follows_it(run, told, monkeypatch, capsys):
    monkeypatch.setattr(following, "PATIENCE", 0.1)
    began = time.perf_counter()
    with following.followed(*RunFolder.open(run), None):
        pass
    assert time.perf_counter() - began < 5
    assert capsys.readouterr().out.startswith("warning: Weights & Biases takes longer than 0 s, and is left; ")
    told.wait.set()


# marl-eval


def comparison(file):
    """{task: {algorithm: runs}} of a file, once all that marl-eval demands of it is found to be true."""
    ((environment, tasks),) = json.loads(file.read_text(), parse_constant=pytest.fail).items()
    assert environment == "MPE" and tasks
    shapes = set()
    for algorithms in tasks.values():
        assert not [name for name in algorithms if "," in name]
        assert len({name.lower() for name in algorithms}) == len(algorithms)
        for runs in algorithms.values():
            shapes.add((frozenset(algorithms), *(shape(name, steps) for name, steps in sorted(runs.items()))))
    assert len(shapes) == 1  # the same algorithms, runs, steps and metrics everywhere
    return tasks


def shape(name, steps):
    """What must be the same of all runs: its name, its steps and its metrics, each of which is a list of numbers."""
    counts = [step["step_count"] for step in steps.values() if "step_count" in step]
    assert counts == sorted(set(counts)) and all(type(count) is int for count in counts)
    metrics = {step: {name: of for name, of in found.items() if name != "step_count"} for step, found in steps.items()}
    absolute = metrics.pop("absolute_metrics")
    assert len(counts) == len(metrics) and all(found.keys() == absolute.keys() for found in metrics.values())
    assert not [metric for metric in absolute if " " in metric]
    (length,) = {len(values) for found in metrics.values() for values in found.values()}
    assert {len(values) for values in absolute.values()} <= {1, 10 * length}
    assert all(type(x) is float for found in (absolute, *metrics.values()) for values in found.values() for x in values)
    return name, tuple(steps), tuple(sorted(absolute))


def test_marl_eval_finds_every_seed_at_its_steps(tmp_path, capsys):
    words, silent = evaluated(tmp_path / "words"), evaluated(tmp_path / "silent", **{"comm.preset": "none"})
    assert export_main([str(words), str(silent), "--to", "marl-eval"]) == 0
    assert "return, success of mappo_commnet, mappo_none on simple_reference_v3" in capsys.readouterr().out
    runs = comparison(words / "marl-eval-1.json")["simple_reference_v3"]
    assert set(runs) == {"mappo_commnet", "mappo_none"}
    assert runs["mappo_commnet"] == {
        "seed_0": {
            "step_1": {"step_count": 400, "return": [-2.0], "success": [0.1]},
            "step_2": {"step_count": 600, "return": [-1.0], "success": [0.3]},
            "absolute_metrics": {"return": [-0.5], "success": [0.5]},
        },
        "seed_1": {
            "step_1": {"step_count": 400, "return": [-4.0], "success": [0.2]},
            "step_2": {"step_count": 600, "return": [-3.0], "success": [0.4]},
            "absolute_metrics": {"return": [-2.5], "success": [0.6]},
        },
    }


def test_tasks_are_told_apart_by_their_arguments_and_like_runs_by_their_folders(tmp_path):
    small, large = {"env.name": "simple_spread_v3"}, {"env.name": "simple_spread_v3", "env.N": 5}
    (tmp_path / "large").mkdir()
    runs = [
        evaluated(tmp_path / "quick", **small, lr=0.01),
        evaluated(tmp_path / "slow-20260101-000000", **small),
        evaluated(tmp_path / "large" / "quick", **large, **{"env.local_ratio": 0.5}, lr=0.01),  # as it is anyway
        evaluated(tmp_path / "large" / "slow", **large),
    ]
    output = tmp_path / "all.json"
    assert export_main([*map(str, runs), "--to", "marl-eval", "--output", str(output)]) == 0
    tasks = comparison(output)
    assert {task: set(runs) for task, runs in tasks.items()} == {
        "simple_spread_v3": {"quick", "slow"},
        "simple_spread_v3_N_5": {"quick", "slow"},
    }


def test_a_measure_that_is_not_known_everywhere_is_left_out(tmp_path):
    rows = [row | ({"eval_message_information": [0.5, 0.6]} if "eval_return" in row else {}) for row in SHORT]
    told = {"message_information": [1.0, 1.1]}
    whole = evaluated(tmp_path / "whole", rows, told)
    once = evaluated(tmp_path / "once", [*rows[:2], rows[2] | {"eval_success": [None, 0.1]}], told, lr=0.01)
    everywhere = {"return", "message_information"}
    for runs, metrics in (([whole], everywhere | {"success"}), ([whole, once], everywhere)):
        output = tmp_path / f"{len(runs)}.json"
        assert export_main([*map(str, runs), "--to", "marl-eval", "--output", str(output)]) == 0
        (algorithms,) = comparison(output).values()
        assert {frozenset(of["seed_0"]["absolute_metrics"]) for of in algorithms.values()} == {frozenset(metrics)}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"rows": [SHORT[0] | {"iteration": 6}]}, "was never evaluated in training"),
        ({"rows": [SHORT[0], SHORT[2]]}, "other has 1 short evaluations in training, but "),
        ({"env.name": "simple_v3", "comm.preset": "none"}, "there is no run of mappo_none on simple_reference_v3"),
        ({"num_iters": 8}, "other is not finished"),
        ({"found": {"return": [None, 1.0], "success": []}}, "there is no measure"),
    ],
)
def test_what_marl_eval_could_not_compare_is_refused(tmp_path, capsys, other, message):
    other = {"lr": 0.01} | other
    runs = [evaluated(tmp_path / "one"), evaluated(tmp_path / "other", **other)]
    status, errors = call(export_main, [*runs, "--to", "marl-eval"], capsys)
    assert status == 1 and message in errors and errors.count("\n") == 1
    assert not list(tmp_path.rglob("marl-eval*"))


def test_runs_of_one_name_and_options_of_another_target_are_refused(tmp_path, capsys):
    (tmp_path / "else").mkdir()
    runs = [evaluated(tmp_path / "Run"), evaluated(tmp_path / "else" / "run")]
    status, errors = call(export_main, [*runs, "--to", "marl-eval"], capsys)
    assert status == 1 and "would both be run on simple_reference_v3: rename a folder" in errors
    status, errors = call(export_main, [runs[0], "--output", "x.json"], capsys)
    assert (status, errors) == (2, "error: --output is of --to marl-eval, not of --to tensorboard (see --help)\n")
