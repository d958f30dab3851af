"""`scripts/parity.py` prints its table, and fails if something is out of bounds or unknown."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jaxmarl_comm.envs.mpe import world
from jaxmarl_comm.envs.mpe.parity.command import main

SCRIPT = Path(__file__).parents[2] / "scripts" / "parity.py"


def test_ctrl_c_is_one_line() -> None:
    process = subprocess.Popen([sys.executable, SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate()[1].count("\n") == 1 and process.returncode == 130


def test_within_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simple_push_v3", "--steps", "50"]) == 0
    assert "everything within bounds" in capsys.readouterr().out


def test_out_of_bounds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(world, "DAMPING", 0.26)
    assert main(["simple_push_v3", "--steps", "50"]) == 1
    assert "6 of 6 comparisons out of bounds" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["simple_psh_v3"], ["--steps", "0"], ["--step", "9"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
