"""TensorBoard's files, read back: what a run has logged, once, at its steps."""

import struct
import sys

import pytest
from tensorboardX.proto.event_pb2 import Event

from jaxmarl_comm import RunError, default_cfg
from jaxmarl_comm.cli import export_main
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.tracking.tensorboard import export_tensorboard
from runs import TINY, call

ROWS = [
    {"iteration": 2, "env_steps": 200, "return": [-3.0, -5.0], "target": [1.0, None]},
    {"iteration": 4, "env_steps": 400, "return": [-1.0, -2.0], "target": [2.0, 4.0]},
]


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path / "run", default_cfg().replace({**TINY, "num_seeds": 2}))
    for row in ROWS:
        folder.append_metrics(row)
    return folder.path


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


def test_without_tensorboardx_it_is_said_how_to_get_it(run, monkeypatch, capsys):
    before = events(export_tensorboard(run) / "mean")
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    status, errors = call(export_main, [run], capsys)
    assert status == 1 and "pip install 'jaxmarl_comm[tensorboard]'" in errors
    assert events(run / "tensorboard" / "mean") == before
