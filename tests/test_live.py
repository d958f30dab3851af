"""The line at the foot of a terminal: it appears, it goes, and it spoils nothing that is printed meanwhile."""

import io
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout

import pytest

from jaxmarl_comm import default_cfg, live
from jaxmarl_comm.console import Console
from runs import ROOT, SIMPLEST, as_options
from terminals import TERMINAL, OnTerminal, open_terminal, screen

pytestmark = pytest.mark.long

SAYING = """
import sys, time
from jaxmarl_comm import live
with live.foot(lambda: "at the foot " + "=" * 200):
    time.sleep(0.3)
    print("one")
    print("two, in ", end="", flush=True)
    time.sleep(0.5)
    print("parts")
    print("an error", file=sys.stderr)
    time.sleep(0.3)
    {then}
print("three")
"""


def say(then="", columns=100, **more):
    return OnTerminal(["-c", SAYING.format(then=then)], columns, **more).finish()


@pytest.mark.parametrize("columns", [1, 20, 100, 0])
def test_the_foot_appears_and_is_erased(columns):
    """Cut to the terminal, however narrow, so that it never wraps; what is printed stays as it is."""
    status, output = say(columns=columns)
    assert status == 0
    assert screen(output) == ["one", "two, in parts", "an error", "three", ""]
    drawn = [
        line for line in output.replace("\x1b[K", "\r").split("\r") if line.startswith("at the foot"[: columns or 99])
    ]
    width = (columns or 80) - 1
    assert not width or (len(drawn) > 3 and {len(line) for line in drawn} == {width}), drawn


def test_the_foot_is_drawn_while_nothing_is_printed_but_not_into_half_a_line():
    """`two, in` waits half a second for the rest of its line."""
    _, output = say()
    before, waiting, after = output.partition("two, in ")[0], output.split("two, in ")[1].split("parts")[0], output
    assert "at the foot" in before and "at the foot" not in waiting and "at the foot" in after.split("parts")[1]


@pytest.mark.parametrize("more", [{"TERM": "dumb"}, {"CI": "true"}])
def test_no_foot_where_lines_cannot_be_drawn_anew(more):
    _, output = say(**more)
    assert output.replace("\r\n", "\n") == "one\ntwo, in parts\nan error\nthree\n"


def test_no_foot_in_a_pipe():
    code = SAYING.format(then="")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, env=os.environ | TERMINAL)
    assert (done.stdout, done.stderr) == (b"one\ntwo, in parts\nthree\n", b"an error\n")


def test_errors_that_go_to_a_file_are_not_touched(tmp_path):
    code = f"sys.stderr = open({str(tmp_path / 'errors')!r}, 'w'); "
    running = OnTerminal(["-c", SAYING.replace("import sys, time", f"import sys, time; {code}").format(then="")])
    _, output = running.finish()
    assert screen(output) == ["one", "two, in parts", "three", ""]
    assert (tmp_path / "errors").read_text() == "an error\n"


def test_an_error_inside_takes_the_foot_away():
    status, output = say(then="raise SystemExit('over')")
    assert status == 1 and screen(output)[-2:] == ["over", ""]


def test_a_foot_within_another_is_none():
    _, output = say(then="\n    with live.foot(lambda: 'inner'): print('inside'); time.sleep(0.3)")
    assert "inner" not in output and screen(output)[3:] == ["inside", "three", ""]


@pytest.mark.parametrize("waits", [True, False])
def test_a_signal_is_answered_on_a_line_of_its_own(waits):
    """Whether it is waited for, or the process leaves while the main thread hears nothing."""
    context = "waiting()" if waits else "parting('good-bye')"
    code = f"""
import time
from jaxmarl_comm import interrupts, live
interrupts.listen()
with interrupts.{context}, live.foot(lambda: "at the foot " * 7):
    print("begun")
    time.sleep(1 if {waits} else 30)
"""
    running = OnTerminal(["-c", code])
    running.read_until("begun\r\n")
    running.process.send_signal(signal.SIGTERM)
    status, output = running.finish()
    answer = (
        "stopping: at the end of this chunk, to save it; once more to leave at once" if waits else "error: good-bye"
    )
    assert screen(output) == ["begun", answer, ""] and status == (0 if waits else 143)


def test_ctrl_c_while_a_run_compiles_on_a_terminal(tmp_path):
    """The header, and then for how long it has been compiling, until it is stopped."""
    run = tmp_path / "run"
    settings = as_options({**SIMPLEST, "hidden_dim": 128})
    running = OnTerminal([ROOT / "scripts" / "train.py", *settings, "--run-dir", run], 200)
    running.read_until("compiling  0:0")
    running.process.send_signal(signal.SIGINT)
    status, output = running.finish()
    *header, answer, last = screen(output)
    assert status == 130 and (answer, last) == (f"error: stopped; go on with --resume {run}", "")
    labels = ["experiment", "policies", "channel", "rewards", "devices", "run folder"]
    assert [line.partition("  ")[0] for line in header] == labels


# What the foot says.


@contextmanager
def standard_output_on_a_terminal():
    """While inside, it is one; yields a function that waits for a text, and says all that was written until then."""
    ours, theirs = open_terminal()
    output = bytearray()

    def until(text):
        while text.encode() not in output:
            output.extend(os.read(ours, 4096))
        return output.decode()

    with io.TextIOWrapper(os.fdopen(theirs, "wb"), encoding="utf-8") as stream, redirect_stdout(stream):
        yield until
    os.close(ours)


def test_training_is_told_by_a_bar_with_return_rate_and_time_left(monkeypatch):
    for name, value in TERMINAL.items():
        monkeypatch.setenv(name, value)
    cfg = default_cfg().replace({"num_iters": 40, "num_envs": 10, "rollout_len": 25, "num_minibatches": 1})
    console = Console(("return", "entropy"), {"cost": -300.0}, cycles=25)
    with standard_output_on_a_terminal() as until:
        with console.training(cfg):
            console.start_table(0)
            until("─" * 24 + "   0%  0:00\x1b[K")
            console.began -= 10.0
            console.row({"iteration": 10, "env_steps": 2_500, "return": [-8.0, -9.0], "entropy": [0.5, 0.5]}, cfg)
            output = until("10 iterations\x1b[K")
        print("over", flush=True)
        heading, row, *rest = screen(until("over\r\n"))
    *_, cost, rate, spent, left = row.split()
    assert re.search(rf"━{{6}}─{{18}}  25%  0:(29|3.) left  return -8\.50  {rate} steps/s  10 iterations", output)
    assert 200 < float(rate) <= 250 and left.startswith("0:3")
    assert cost == "2550.00" and heading.split()[-4:] == ["cost", "steps/s", "time", "left"] and rest == ["over", ""]
    assert spent.startswith("0:1") and "episodes" in heading and " 100 " in row


def test_a_clock_has_hours_when_it_needs_them():
    assert [live.clock(x) for x in (0, 65.9, 3_599, 3_600, 90_061)] == ["0:00", "1:05", "59:59", "1:00:00", "25:01:01"]


def test_symbols_are_plain_where_others_cannot_be_written(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert live.drawable("━─", "#.") == "#."
