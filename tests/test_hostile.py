"""Run folders made by a stranger: nothing in them runs, nothing outside is touched, and what is wrong is one line."""

import json
import os
import pickle
import sys

import numpy as np
import pytest

from jaxmarl_comm.checkpoint import RECORD, CheckpointError, Checkpoints, _hash_files
from jaxmarl_comm.cli import crossplay_main, evaluate_main, export_main, replay_main, results_main, train_main
from jaxmarl_comm.config import default_cfg
from jaxmarl_comm.files import LARGEST
from jaxmarl_comm.run_folder import RunFolder
from runs import SIMPLEST, call

pytestmark = pytest.mark.long

COMMANDS = {
    "export": (export_main, []),
    "marl-eval": (export_main, ["--to", "marl-eval"]),
    "results": (results_main, []),
    "replay": (replay_main, []),
    "crossplay": (crossplay_main, []),
    "evaluate": (evaluate_main, []),
    "train": (train_main, []),
}
READ = {
    "config.yaml": list(COMMANDS),
    "metrics.jsonl": ["export", "marl-eval", "results"],
    "evaluation.json": ["marl-eval", "results"],
    "crossplay-1/crossplay.json": ["results"],
}
"""File -> the commands that read it first of all that is wrong."""
RUNS = {"os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "os.fork"}

watched: list | None = None


def watch(event, arguments):
    if watched is not None and event in RUNS:
        watched.append((event, arguments))


sys.addaudithook(watch)


@pytest.fixture
def nothing_runs():
    """Fails where code out of a file is run, or a command."""
    global watched
    watched = []
    yield
    found, watched = watched, None
    assert not found


class Bad:
    """Makes a file when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def bomb(marker):
    """Ten billion words, and a command."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 10)]
    return "\n".join([*lines, "env: {name: simple_v3, N: *a9}", "teams: *a9", "net: {hidden: *a9, groups: *a9}"])


TEXTS = {
    "tags": lambda marker: f"seed: !!python/object/apply:os.system ['touch {marker}']",
    "new": lambda marker: f"seed: !!python/object/new:os.system [touch {marker}]",
    "pickle": lambda marker: pickle.dumps(Bad(marker)),
    "bomb": bomb,
    "deep": lambda marker: "[" * 10**5,
    "number": lambda marker: '{"a": ' + "9" * 10**5 + "}",
    "list": lambda marker: "[1]",
    "dots": lambda marker: "env: {name: ../../etc/passwd}\nopponents: {../..: ../..:0}\nteams: {../x: {}}",
    "escapes": lambda marker: 'net: {groups: {"\\e]0;owned\\a\\e[2J": {}}}',
}


@pytest.fixture
def run(tmp_path):
    """A run folder in which all is well, but that there is no checkpoint."""
    folder = RunFolder.create(tmp_path / "run", default_cfg().replace({**SIMPLEST, "num_iters": 2}))
    folder.append_metrics({"iteration": 2, "env_steps": 200, "return": [-3.0], "eval_return": [-3.0]})
    found = {"mean": 0.0, "low": None, "high": None, "of_each_seed": [1.0]}
    more = {"teams": ["good"], "seconds": {"train": 1.0}, "episodes": 10, "control": None, "baselines": {}}
    folder.write_json(folder.evaluation, {"return": found, **more, "ladder": None, "iteration": 2})
    (folder.path / "crossplay-1").mkdir()
    return folder.path


def refused(command, run, capsys, what):
    """Whether that is what the command says, in a line or some, with nothing that a terminal obeys."""
    main, options = COMMANDS[command]
    where = {"evaluate": ["--run", run], "train": ["--resume", run]}.get(command, [run])
    options = [*options, *(["--page", run.parent / "page.md"] if command == "results" else [])]
    status, errors = call(main, [*where, *options], capsys)
    lines = errors.splitlines()
    assert status == 1 and 0 < len(lines) <= 21 and all(line.startswith("error: ") for line in lines), errors
    return all(line.isprintable() for line in lines) and what in errors


@pytest.mark.parametrize(("name", "commands"), READ.items())
@pytest.mark.parametrize("text", TEXTS)
def test_no_text_runs(run, capsys, tmp_path, nothing_runs, name, commands, text):
    content = TEXTS[text](tmp_path / "marker")
    (run / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for command in commands:
        assert refused(command, run, capsys, run.name)
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize(("name", "commands"), READ.items())
def test_what_is_no_file_or_has_no_end_is_refused(run, capsys, tmp_path, name, commands):
    file = run / name
    for make, what in (
        (lambda: file.symlink_to("/dev/zero"), "is not a regular file: links and other things are not followed"),
        (lambda: os.mkfifo(file), "is not a regular file"),
        (lambda: file.touch() or os.truncate(file, 40 * LARGEST), "has 42.9 GB, which none of a run's files has"),
    ):
        file.unlink(missing_ok=True)
        make()
        for command in commands:
            assert refused(command, run, capsys, what)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": 3},
        {"seconds": {"train": "x"}},
        {"teams": [1]},
        {"control": {}},
        {"baselines": {"x": {"return": 1}}},
        {"ladder": {"oracle": "x"}},
        {"return": 7},
        {"return": {"mean": "x", "low": 0, "high": 0, "of_each_seed": []}},
        {"return": {"mean": 0, "low": 0, "high": 0, "of_each_seed": [{}]}},
    ],
)
def test_an_evaluation_of_other_kinds_is_damaged(run, capsys, wrong):
    file = run / "evaluation.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong))
    for command in ("results", "marl-eval"):
        assert refused(command, run, capsys, "evaluation.json is damaged; train --resume ")


@pytest.mark.parametrize("place", ["tensorboard", "wandb"])
def test_an_export_replaces_a_link_and_not_what_it_leads_to(run, tmp_path, place):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    (run / place).symlink_to(precious)
    if place == "wandb":
        pytest.importorskip("wandb", reason="wandb is not installed")
    assert export_main([str(run), "--to", place]) == 0
    assert [path.name for path in precious.iterdir()] == ["file"] and not (run / place).is_symlink()


def test_pickles_in_a_checkpoint_are_not_loaded(tmp_path, nothing_runs):
    """Though its record tells their checksums."""
    checkpoints, state = Checkpoints(tmp_path / "checkpoints"), {"w": np.arange(3.0)}
    checkpoints.save(2, state, {}, {})
    folder = tmp_path / "checkpoints" / "2"
    for file in folder.rglob("*"):
        if file.is_file() and file.name != RECORD:
            file.write_bytes(pickle.dumps(Bad(tmp_path / "marker")))
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps(record | {"files": _hash_files(folder)}))
    with pytest.raises(CheckpointError, match="is damaged or of another run"):
        checkpoints.load(checkpoints.record(2).iteration, state)
    assert not (tmp_path / "marker").exists()


def test_a_config_without_end_is_refused(capsys):
    status, errors = call(train_main, ["--config", "/dev/zero"], capsys)
    assert (status, errors) == (1, "error: config /dev/zero: cannot read it: it has more than 1,048,576 bytes\n")
