"""Weights & Biases by its own package: what it has written is read back by its own records. Skipped without it."""

import json
import os
import struct

import pytest

from jaxmarl_comm import RunError, resume, train_wrapper
from jaxmarl_comm.cli import export_main
from jaxmarl_comm.run_folder import RunFolder
from jaxmarl_comm.tracking import following
from jaxmarl_comm.tracking.wandb_runs import WandbRuns, export_wandb, run_id
from runs import SIMPLEST, call, logged_run

pytestmark = pytest.mark.long

wandb = pytest.importorskip("wandb", reason="wandb is not installed")
records = pytest.importorskip("wandb.proto.wandb_internal_pb2")

BLOCK = 2**15  # of a log file: no record's head is cut
ROWS = [
    {"iteration": 2, "env_steps": 200, "return": [-3.0, -5.0], "target": [1.0, None]},
    {"iteration": 4, "env_steps": 400, "return": [-1.0, -2.0], "target": [2.0, 4.0]},
]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Nothing of the user's own settings or keys."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_BASE_URL", NOWHERE)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    yield
    wandb.teardown()  # which remembers keys


@pytest.fixture
def run(tmp_path):
    return logged_run(tmp_path / "run", ROWS)


def written(file):
    """The records of a .wandb file: after 7 bytes, in blocks, each part with its checksum, length and kind."""
    data, at, part = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        part += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield records.Record.FromString(part)
            part = b""


def offline(folder):
    """Name -> (its run record, {(metric, step): value}) of all that lies in a folder, each metric once at each step."""
    found = {}
    for file in folder.glob("offline-run-*/*.wandb"):
        parts = list(written(file))
        (run,) = (part.run for part in parts if part.WhichOneof("record_type") == "run")
        history = {}
        for part in parts:
            if part.WhichOneof("record_type") == "history":
                values = {"".join(item.nested_key): json.loads(item.value_json) for item in part.history.item}
                assert part.history.step.num == values["_step"]
                for name in values.keys() - {"_step", "_timestamp", "_runtime"}:
                    assert (name, values["_step"]) not in history
                    history[name, values["_step"]] = values[name]
        assert run.display_name not in found and parts[-1].WhichOneof("record_type") == "exit"
        found[run.display_name] = (run, history)
    return found


def test_each_seed_is_read_back_as_a_run_of_one_group(run, capsys):
    assert export_main([str(run), "--to", "wandb", "--wandb-project", "words"]) == 0
    assert f"wandb sync {run}/wandb/offline-run-* sends it" in capsys.readouterr().out
    found = offline(run / "wandb")
    assert set(found) == {"run-seed_0", "run-seed_1"}
    assert found["run-seed_0"][1] == {
        ("return", 200): -3.0,
        ("return", 400): -1.0,
        ("target", 200): 1.0,
        ("target", 400): 2.0,
    }
    assert found["run-seed_1"][1] == {("return", 200): -5.0, ("return", 400): -2.0, ("target", 400): 4.0}
    one, two = (of for of, _ in found.values())
    assert one.run_group == two.run_group and one.run_id != two.run_id and {one.project, two.project} == {"words"}
    config = {item.key: json.loads(item.value_json) for item in one.config.update}
    assert config["hidden_dim"] == 8 and config["env"]["name"] == "simple_reference_v3"
    assert not [path for path in run.rglob("*") if path.is_symlink() or path.name.endswith(".part")]


def test_made_again_or_of_a_copy_it_is_the_same_run_once(run, tmp_path):
    export_wandb(run)
    before = {name: of.run_id for name, (of, _) in offline(run / "wandb").items()}
    cfg = RunFolder.open(run)[1]
    RunFolder(run).write_config(cfg.replace(num_iters=8, log_interval=1))
    RunFolder(run).append_metrics({"iteration": 6, "env_steps": 600, "return": [0.0, 0.5]})
    export_wandb(run)
    assert {name: of.run_id for name, (of, _) in offline(run / "wandb").items()} == before
    assert offline(run / "wandb")["run-seed_1"][1]["return", 600] == 0.5
    others = [run_id(cfg.replace(lr=0.1), ROWS[0], 0), run_id(cfg, ROWS[1], 0), run_id(cfg, ROWS[0], 1)]
    assert len({run_id(cfg, ROWS[0], 0), *others}) == 4


def test_rows_that_are_there_are_not_sent_again(run, tmp_path, monkeypatch):
    """Neither those that were given before, nor those that the server has of an earlier part of the run."""
    sent = []
    runs = WandbRuns(*RunFolder.open(run), ROWS[0], tmp_path, None)
    monkeypatch.setattr(type(runs.runs[0]), "log", lambda self, data, step: sent.append((self.name[-6:], step)))
    runs.next_steps[1] = 201
    runs.write(ROWS[:1])
    runs.write(ROWS)
    runs.close()
    assert sent == [("seed_0", 200), ("seed_0", 400), ("seed_1", 400)]


def test_a_run_is_followed_to_its_end_and_when_resumed(tmp_path, capsys, quick_evaluation):
    result = train_wrapper({**SIMPLEST, "num_iters": 4}, tmp_path / "run", wandb="mine")
    assert "offline-run-* sends it" in capsys.readouterr().out
    ((run, history),) = offline(tmp_path / "run" / "wandb").values()
    assert history == {
        (name, row["env_steps"]): values[0]
        for row in result.metrics
        for name, values in row.items()
        if isinstance(values, list)
    }
    resume(result, wandb=True, num_iters=6)
    ((again, longer),) = offline(tmp_path / "run" / "wandb").values()
    assert (run.run_id, run.project, again.project) == (again.run_id, "mine", "jaxmarl_comm")
    assert longer.items() > history.items() and max(step for _, step in longer) == 600


@pytest.mark.parametrize("failure", ["no server", "no disk"])
def test_what_goes_wrong_is_one_line_and_the_run_is_done(tmp_path, capsys, quick_evaluation, monkeypatch, failure):
    if failure == "no server":
        monkeypatch.setenv("WANDB_MODE", "online")
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setattr(following, "INTERVAL", 0.1)
        monkeypatch.setattr(following, "PATIENCE", 1.0)
    else:
        monkeypatch.setattr(following, "export_wandb", lambda *_: json.loads("no disk"))
    result = train_wrapper({**SIMPLEST, "num_iters": 2}, tmp_path / "run", wandb=True)
    assert len(result.metrics) == 1 and (tmp_path / "run" / "evaluation.json").exists()
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: "))
    assert f"export {tmp_path / 'run'} --to wandb does it again" in line


@pytest.mark.parametrize(
    ("mode", "message"),
    [("online", "nobody is logged in: wandb login"), ("disabled", "but must be offline (as without it) or online")],
)
def test_what_cannot_be_used_is_told_before_anything_is_done(run, tmp_path, capsys, monkeypatch, mode, message):
    monkeypatch.setenv("WANDB_MODE", mode)
    status, errors = call(export_main, [run, "--to", "wandb"], capsys)
    assert status == 1 and message in errors and errors.count("\n") == 1
    with pytest.raises(RunError, match="WANDB_MODE is"):
        train_wrapper(SIMPLEST, tmp_path / "new", wandb=True)
    assert not (tmp_path / "new").exists() and not (run / "wandb").exists()
