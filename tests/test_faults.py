"""What goes wrong around a run: signals, two writers, links, full disks, damaged and foreign files."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import repeat
from multiprocessing.pool import ThreadPool
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import yaml

from jaxmarl_comm import default_cfg, evaluate
from jaxmarl_comm.checkpoint import CheckpointError, Checkpoints
from jaxmarl_comm.cli import crossplay_main, replay_main, train_main
from jaxmarl_comm.console import Console
from jaxmarl_comm.evaluation.verdict import _at_the_end
from jaxmarl_comm.files import append_line, draft_of, write_new, write_whole
from jaxmarl_comm.memory import within_memory
from jaxmarl_comm.report.curves import plot_curves
from jaxmarl_comm.run_folder import RunError, RunFolder
from jaxmarl_comm.runner import InterruptedRunError, Runner, train
from runs import ROOT, SIMPLEST, as_options, call, finish, start

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that is trained, but not evaluated."""
    path = tmp_path_factory.mktemp("runs") / "trained"
    cfg = default_cfg().replace(SIMPLEST)
    folder = RunFolder.create(path, cfg)
    Runner(cfg, folder).run()
    return path


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def runner_of(path, **changes):
    folder, cfg = RunFolder.resume(path, changes)
    return Runner(cfg, folder)


def damage(checkpoint):
    victim = max((p for p in checkpoint.rglob("*") if p.is_file()), key=lambda path: path.stat().st_size)
    victim.write_bytes(victim.read_bytes()[:100])


# Checkpoints


def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_a_finished_run_goes_on(run, capsys):
    """Damage in the newest checkpoint and in the metrics is said; all other rows stay; two more iterations follow."""
    before = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(b"\xff\x00[\n" + before[0] + b"[1]\n" + before[1] + before[2][:20])
    clock, starts = (run / "clock.jsonl").read_bytes(), (run / "starts.jsonl").read_bytes()
    (run / "clock.jsonl").write_bytes(clock[:-5])
    (run / "starts.jsonl").write_bytes(starts + b'{"iteration": 0, "command": "pyth')
    damage(run / "checkpoints" / "6")
    draft = run / "checkpoints" / ".8.0123.part"
    draft.mkdir()

    runner_of(run, num_iters=8).run()
    said = capsys.readouterr().out
    assert f"checkpoint {run / 'checkpoints' / '6'} is damaged" in said
    assert "taking the one before it, of iteration 4" in said and "resuming after iteration 4" in said
    assert "metrics.jsonl: damaged lines are left out: 2, the first being line 1" in said
    assert "num_iters was 6 and is 8: from here on lr will be as in the longer run" in said

    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    assert lines[:2] == before[:2]
    assert [json.loads(line)["iteration"] for line in lines] == [2, 4, 6, 8]
    assert (run / "clock.jsonl").read_bytes().startswith(clock[: clock.index(b'{"iteration": 6')])
    assert list(RunFolder(run).read_clock()) == [2, 4, 6, 8]
    assert (run / "starts.jsonl").read_bytes().startswith(starts)
    assert [json.loads(line)["iteration"] for line in (run / "starts.jsonl").read_text().splitlines()] == [0, 4]
    assert Checkpoints(run / "checkpoints").iterations == [6, 8] and not draft.exists()
    assert RunFolder.open(run)[1].num_iters == 8


def test_where_all_checkpoints_are_damaged_it_is_one_error(run):
    for iteration in ("4", "6"):
        damage(run / "checkpoints" / iteration)
    with pytest.raises(CheckpointError, match=r"checkpoint .* is damaged .*no other is left"):
        runner_of(run).load()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"iteration": "6"}'])
def test_a_damaged_record_is_a_damaged_checkpoint(run, capsys, content):
    (run / "checkpoints" / "6" / "record.json").write_bytes(content)
    assert runner_of(run).load()[1].iteration == 4
    assert "checkpoints/6 is damaged (file record.json)" in capsys.readouterr().out


def test_a_link_in_a_checkpoint_is_damage(run, capsys):
    victim = max((p for p in (run / "checkpoints" / "6").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    moved = victim.rename(run / "elsewhere")
    victim.symlink_to(moved)
    assert runner_of(run).load()[1].iteration == 4
    assert "is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("nowhere"), Path.mkdir, Path.touch])
def test_what_only_looks_like_a_checkpoint_gives_way(run, make, capsys):
    for name in ("99", "007"):
        make(run / "checkpoints" / name)
    assert runner_of(run).load()[1].iteration == 6
    assert "checkpoints/99 is damaged" in capsys.readouterr().out
    checkpoints = Checkpoints(run / "checkpoints")
    checkpoints.forget_after(6)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["007", "4", "6"]


def test_a_checkpoint_that_goes_while_it_is_read_is_not_called_damaged(run):
    """A run that goes on saves 8 and lets go of 4 while a reader is at 6."""
    checkpoints = Checkpoints(run / "checkpoints")
    state, record = runner_of(run).load()
    seen, told = [], []

    def writer_goes_on(found):
        seen.append(found.iteration)
        if found.iteration == 6:
            checkpoints.save(8, state, record.config, {})
            shutil.rmtree(run / "checkpoints" / "6")

    _, found = checkpoints.load_newest(state, writer_goes_on, told.append)
    assert seen == [6, 8] and found.iteration == 8 and not told


def test_edited_settings_are_named(run):
    values = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**values, "lr": 0.1, "eval_episodes": 30}))
    with pytest.raises(RunError, match=r"checkpoint .*6 is of another config: lr differ"):
        runner_of(run).load()


def test_a_checkpoint_of_another_run_is_named(run, tmp_path):
    other = tmp_path / "other"
    RunFolder.create(other, default_cfg().replace({**SIMPLEST, "seed": 5}))
    shutil.copytree(run / "checkpoints", other / "checkpoints")
    with pytest.raises(RunError, match=r"checkpoint .*6 is of another config: seed differ"):
        runner_of(other).load()


def test_only_what_changes_no_learning_may_change(run):
    assert runner_of(run, log_interval=3, num_iters=7).cfg.log_interval == 3
    with pytest.raises(RunError, match="num_iters is 5, but can only grow"):
        runner_of(run, num_iters=5)
    with pytest.raises(RunError, match="another config: lr differ"):
        runner_of(run, lr=1.0)


def test_other_versions_are_said(run, capsys, monkeypatch):
    monkeypatch.setattr("jaxmarl_comm.runner.versions", lambda: {"jax": "99"})
    runner_of(run).begin()
    assert f"what follows may differ in rounding: jax {jax.__version__} is now 99" in capsys.readouterr().out


def test_readers_make_no_folder(tmp_path):
    RunFolder.create(tmp_path / "new", default_cfg())
    with pytest.raises(RunError, match="has no checkpoint yet"):
        runner_of(tmp_path / "new").load()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(
    "metrics",
    ['"x": 1', '"x": []', '"x": [1, 2]', '"x": [[1]]', '"x": [1' + "0" * 400 + "]", '"x": [1e999]', '"x": [true]'],
)
def test_a_row_that_is_not_of_all_seeds_is_damaged(tmp_path, metrics):
    folder = RunFolder.create(tmp_path / "run", default_cfg())
    damaged = ['{"iteration": 1, "env_steps": 10, ' + metrics + "}", '{"iteration": 1e9, "env_steps": 1}']
    folder.metrics.write_text("\n".join([*damaged, '{"iteration": 2, "env_steps": 20, "return": [null]}\n']))
    assert [row["iteration"] for row in folder.read_metrics(1)] == [2]


@pytest.mark.parametrize("seconds", ["-1", "null", '"1"', "NaN", "1e999", "[1]", "true"])
def test_a_time_that_cannot_be_is_damaged(tmp_path, seconds):
    folder = RunFolder.create(tmp_path / "run", default_cfg())
    folder.clock.write_text(f'{{"iteration": 1, "seconds": {seconds}}}\n{{"seconds": 1}}\n')
    folder.append_clock(2, 2.5)
    assert folder.read_clock() == {2: 2.5}


def test_rows_that_lack_a_metric_are_drawn_and_judged_without_it(tmp_path):
    rows = [
        {"iteration": 1, "env_steps": 10},
        {"iteration": 2, "env_steps": 20, "approx_kl": [0.5], "entropy": [None]},
        {"iteration": 3, "env_steps": 30, "return": [-3e38], "eval_success": [1]},
    ]
    plot_curves(rows, tmp_path / "curves.png", "title")
    assert _at_the_end(rows, "approx_kl").tolist() == [0.5] and _at_the_end(rows, "nothing").size == 0


def test_a_record_without_num_iters_is_of_the_default(run, capsys):
    for record in (run / "checkpoints").glob("*/record.json"):
        content = json.loads(record.read_text())
        del content["config"]["num_iters"]
        record.write_text(json.dumps(content))
    runner_of(run, num_iters=700).begin()
    assert "num_iters was 620 and is 700" in capsys.readouterr().out


# Files that a stranger may have made


def test_nothing_is_written_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("plain", "appended", "appended.part", "plain.part"):
        (tmp_path / name).symlink_to(victim)
    write_whole(tmp_path / "plain", "new")
    assert (tmp_path / "plain").read_text() == "new" and not (tmp_path / "plain").is_symlink()
    with pytest.raises(RunError, match="cannot write"):
        append_line(tmp_path / "appended", "new")
    assert victim.read_text() == "precious"


LINKED = ["checkpoints", "best", "control", "config.yaml", "metrics.jsonl", "clock.jsonl", "starts.jsonl"]


@pytest.mark.parametrize("name", LINKED)
def test_links_and_other_things_are_refused_in_one_line(run, tmp_path, name):
    (run / name).exists() and (run / name).rename(tmp_path / name)
    (run / name).symlink_to(tmp_path / name)
    with pytest.raises(RunError, match=f"{name} is not a .*not followed"):
        runner_of(run).begin()


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.write_text("")])
def test_checkpoints_that_are_no_folder_are_refused(run, make):
    shutil.rmtree(run / "checkpoints")
    make(run / "checkpoints")
    with pytest.raises(RunError, match="checkpoints is not a folder"):
        runner_of(run)


# Two processes, and folders that go away


def test_the_second_writer_is_told_who_is_there(run):
    folder, cfg = RunFolder.open(run)
    with folder.locked(), pytest.raises(RunError, match=f"{run} is in use by process {os.getpid()}"):
        train(cfg, folder)
    with folder.locked():
        pass


def test_a_writer_clears_away_what_a_killed_one_left(tmp_path):
    """Not what another process may be writing now: an evaluation beside the run's own needs no lock."""
    left = [draft_of(tmp_path / name) for name in ("evaluation.json", "curves.png", "messages.svg", "config.yaml")]
    others = [draft_of(tmp_path / "evaluation-1.json"), tmp_path / ".evaluation.json.mine.part"]
    for path in (*left, *others):
        path.touch()
    draft_of(tmp_path / "control").mkdir()
    with RunFolder(tmp_path).locked():
        assert {path.name for path in tmp_path.iterdir()} == {".lock", *(path.name for path in others)}


def test_evaluations_at_once_take_names_of_their_own(tmp_path):
    folder = RunFolder.create(tmp_path / "run", default_cfg())
    (folder.path / "evaluation-1-messages.svg").touch()
    both = folder.numbered("evaluation", ".json"), folder.numbered("evaluation", ".json")
    written = [folder.write_new_json(names, {}).name for names in both]
    assert written == ["evaluation-2.json", "evaluation-3.json"]
    given = tmp_path / "given.json"
    folder.write_new_json([given], "mine")
    with pytest.raises(RunError, match=r"given\.json exists by now; choose another file"):
        folder.write_new_json([given], "another's")
    assert json.loads(given.read_text()) == "mine" and not list(tmp_path.rglob(".*.part"))


def test_a_new_file_appears_where_files_have_one_name_only(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_new(tmp_path / "file", "whole")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "file", "another")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["whole"]


@pytest.mark.parametrize(
    ("name", "said"), [(".", "no name for"), ("/", "no name for"), ("afile/new.json", "cannot write to .*afile")]
)
def test_a_name_that_no_file_can_have_is_told_before_work_is_done(run, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    Path("afile").touch()
    with pytest.raises(RunError, match=said):
        evaluate(run, output=name)


@pytest.mark.parametrize("name", ["new-messages.png", "new-messages.svg"])
def test_a_picture_that_is_there_is_told_before_work_is_done(run, tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(RunError, match=f"{name} exists"):
        evaluate(run, output=tmp_path / "new.json")


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = "import sys, time, pathlib; from jaxmarl_comm.files import locked\n"
    code += "with locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    with pytest.raises(RunError, match=f"in use by process {process.pid}"), RunFolder(tmp_path).locked():
        pass
    process.kill()
    process.communicate()
    with RunFolder(tmp_path).locked():
        pass


@pytest.mark.parametrize("go", [shutil.rmtree, lambda path: path.rename(path.with_name("moved"))])
def test_a_folder_that_went_away_is_not_made_again(run, go):
    runner = runner_of(run)
    state, _ = runner.load()
    go(run)
    for write in (lambda: runner.save(8, state), lambda: runner.folder.append_metrics({}), runner.begin):
        with pytest.raises(RunError, match=r"was moved or deleted while in use|has no checkpoint yet"):
            write()
    assert not run.exists()


def test_a_full_disk_is_one_line(tmp_path):
    """A limit on the size of files stands for it: writing fails in the same places, with another errno."""
    code = """
import resource, sys, pathlib, numpy as np
from jaxmarl_comm.checkpoint import CheckpointError, Checkpoints
from jaxmarl_comm.cli import train_main
from jaxmarl_comm.files import RunError, append_line, write_whole
folder = pathlib.Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
noise = np.random.default_rng(0).random(9999)
for write in (lambda: Checkpoints(folder / "c").save(1, [noise], {}, {}),
              lambda: append_line(folder / "m", "x" * 9999), lambda: write_whole(folder / "w", b"x" * 9999)):
    try:
        write()
    except (CheckpointError, RunError) as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, cwd=ROOT)
    assert not done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["cannot", "save"], ["cannot", "write"], ["cannot", "write"]]
    assert all("File too large" in line and len(line) < 600 for line in lines), lines
    assert Checkpoints(tmp_path / "c").latest is None and not list(tmp_path.rglob("*.part"))


# Signals

DEAF = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"  # minutes in C, where Python hears nothing


def listener(code, before="", **more):
    code = f"import signal; from jaxmarl_comm import interrupts\n{before}\ninterrupts.listen()\n{code}"
    command = [sys.executable, "-c", code]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes, **more)


@pytest.mark.parametrize("number", STATUS)
def test_a_signal_ends_what_python_cannot(number):
    process = listener(f"with interrupts.parting('good-bye'):\n    print(flush=True)\n    {DEAF}")
    process.stdout.readline()
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors) == (STATUS[number], "", "error: good-bye\n")


def test_what_saves_is_waited_for_and_a_second_signal_is_not(tmp_path):
    code = f"with interrupts.waiting() as stopped:\n    print(stopped(), flush=True)\n    {DEAF}"
    process = listener(code)
    assert process.stdout.readline() == "False\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline().startswith("stopping: at the end of this chunk")
    process.send_signal(signal.SIGHUP)  # a terminal that is closed says so twice
    assert process.stdout.readline().startswith("stopping")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == STATUS[signal.SIGTERM] and len(errors.splitlines()) == 1


def test_what_nohup_ignores_stays_ignored():
    ignore = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = listener("print(1, flush=True); input(); print(2)", before=ignore, stdin=subprocess.PIPE)
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate("\n", timeout=20)
    assert out == "2\n" and process.returncode == 0


def stop_at(process, line, number):
    """Signal as soon as standard output has such a line; (rest of it, standard error)."""
    while not (said := process.stdout.readline()).startswith(line):
        assert said, process.stderr.read()
    process.send_signal(number)
    return process.communicate(timeout=100)


@pytest.mark.long
def test_ctrl_c_while_compiling_and_while_training(tmp_path):
    run = tmp_path / "run"
    process = start("train", *as_options({**SIMPLEST, "num_iters": 100_000}), "--run-dir", run)
    _, errors = stop_at(process, "run folder", signal.SIGINT)
    assert process.returncode == 130 and errors == f"error: stopped; go on with --resume {run}\n"
    assert not (run / "metrics.jsonl").exists()

    process = start("train", "--resume", run, stdout=subprocess.DEVNULL)
    while not (run / "checkpoints" / "4").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "stopped after iteration" in errors and "--resume" in errors and "Traceback" not in errors
    assert Checkpoints(run / "checkpoints").latest == int(errors.split("iteration ")[1].split(";")[0])


@pytest.mark.long
def test_sigterm_while_evaluating(run):
    process = start("train", "--resume", run)
    _, errors = stop_at(process, "evaluating", signal.SIGTERM)
    assert process.returncode == 143
    assert errors == f"error: stopped after training, which is saved; --resume {run} evaluates it\n"
    assert Checkpoints(run / "checkpoints").latest == 6 and not (run / "evaluation.json").exists()


@pytest.mark.long
def test_an_interrupt_in_a_notebook_leaves_a_run_that_can_go_on(run, monkeypatch):
    """Between chunks it is saved, though no checkpoint is due; while compiling, the last one stays."""
    runner = runner_of(run, num_iters=100, checkpoint_interval=50)
    press_once = iter([signal.SIGINT])
    monkeypatch.setattr(Console, "row", lambda *_: [signal.raise_signal(number) for number in press_once])
    with pytest.raises(InterruptedRunError, match="stopped after iteration 10; go on with --resume"):
        runner.run()
    assert runner.saved.latest == 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def compiling(*_):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("jaxmarl_comm.runner.compile_chunk", compiling)
    again = runner_of(run)
    with pytest.raises(KeyboardInterrupt):
        again.run()
    assert runner_of(run).load()[1].iteration == 10


def test_a_full_disk_is_not_a_lack_of_memory(tmp_path, monkeypatch, capsys):
    """Though tensorstore calls it an exhausted resource, too, in a traceback of each of its threads."""
    monkeypatch.setattr("jaxmarl_comm.checkpoint.shutil.disk_usage", lambda _: SimpleNamespace(free=10_000))
    status, error = call(train_main, ["--test", "--run-dir", tmp_path / "run"], capsys)
    assert status == 1
    assert re.fullmatch(r"error: cannot save checkpoint .*/0: .*No space left on device\n", error)
    monkeypatch.undo()
    with pytest.raises(CheckpointError), within_memory(default_cfg()):
        raise CheckpointError("RESOURCE_EXHAUSTED: No space left on device")


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "INTERNAL"])
def test_a_device_without_memory_left_is_one_line_that_says_what_to_lower(code, tmp_path, monkeypatch, capsys):
    def compile_programs(self, state, done):
        raise jax.errors.JaxRuntimeError(f"{code}: Out of memory while trying to allocate 91.5GiB.\n  more")

    monkeypatch.setattr(Runner, "compile_programs", compile_programs)
    words = ["--test", "--num_envs", "8", "--eval_episodes", "900", "--run-dir", tmp_path / "run"]
    status, error = call(train_main, words, capsys)
    assert status == 1 and len(error.splitlines()) == 1
    assert (
        "the evaluation alone takes 0.0 GB of it; lower num_seeds (1), eval_episodes (900) or env.max_cycles (25)"
        in error
    )
    assert error.endswith(f"; go on with --resume {tmp_path / 'run'}\n")


@pytest.mark.parametrize(
    "main, program",
    [(crossplay_main, "jaxmarl_comm.crossing.run.cross"), (replay_main, "jaxmarl_comm.film.of_run.shoot")],
)
def test_commands_that_play_say_in_one_line_too_that_there_is_no_memory_left(main, program, run, monkeypatch, capsys):
    def play(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 91.5GiB.")

    monkeypatch.setattr(program, play)
    status, error = call(main, [run], capsys)
    assert status == 1
    assert error.splitlines()[-1].startswith("error: the device has run out of its ")
    assert error.endswith(" GB of memory: play fewer --episodes (1,000)\n")


# All of it, at random moments


def listens(process):
    """Whether a process hears SIGHUP: it imports what it needs only after that."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return False
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (signal.SIGHUP - 1) & 1)


def wait_for_ears(process):
    while not listens(process) and process.poll() is None:
        time.sleep(0.001)


def state_of(path):
    state, record = runner_of(path).load()
    return record.iteration, jax.tree.leaves(state._replace(key=jax.random.key_data(state.key)))


def stopped_and_resumed(settings, run, number, seconds):
    """Start a run, stop it after these seconds from when it listens, go on; the seconds at which it was stopped.

    A machine that does less of other work meanwhile may be done by then: once more, and sooner.
    """
    process = start("train", *settings, "--run-dir", run)
    wait_for_ears(process)
    time.sleep(seconds)
    process.send_signal(number)
    _, errors = process.communicate()
    if process.returncode == 0:
        shutil.rmtree(run)
        return stopped_and_resumed(settings, run, number, 0.7 * seconds)
    assert process.returncode == STATUS.get(number, -number), errors
    assert len(errors.splitlines()) == (number != signal.SIGKILL), errors
    again = start("train", *(["--resume", run] if run.exists() else [*settings, "--run-dir", run]))
    _, errors_again = again.communicate()
    assert again.returncode == 0 and not errors_again, errors_again
    return seconds


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_runs_that_are_stopped_at_random_moments_go_on_bit_for_bit(tmp_path, number, monkeypatch):
    """20 runs, two at a time, each stopped at a random moment from its first second to its last."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "compiled"))
    settings = ["--test", "--num_iters", 40, "--hidden_dim", 8]
    whole, runs = tmp_path / "whole", [tmp_path / f"run{k}" for k in range(20)]
    assert finish("train", *settings, "--run-dir", whole) == (0, "")
    began = time.perf_counter()
    finish("train", *settings, "--run-dir", tmp_path / "again")
    length = time.perf_counter() - began
    moments = length * np.random.default_rng(number).random(len(runs))
    with ThreadPool(2) as pool:
        stopped = pool.starmap(stopped_and_resumed, [(settings, *each) for each in zip(runs, repeat(number), moments)])
    print(f"{length:.0f} s long; stopped after {np.sort(stopped).round(1)} s")
    expected = state_of(whole)
    for run in runs:
        assert (run / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
        assert (
            json.loads((run / "evaluation.json").read_text())["return"]
            == json.loads((whole / "evaluation.json").read_text())["return"]
        )
        iteration, leaves = state_of(run)
        assert iteration == expected[0]
        for left, right in zip(expected[1], leaves, strict=True):
            np.testing.assert_array_equal(left, right)
