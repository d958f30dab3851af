"""`scripts/parity.py` prints its table, and fails if something is out of bounds or unknown."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from jaxmarl_comm.envs.mpe import world

SCRIPT = Path(__file__).parents[2] / "scripts" / "parity.py"


def exit_status(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert isinstance(end.value.code, int)
    return end.value.code


def test_within_bounds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(monkeypatch, "simple_push_v3", "--steps", "50") == 0
    assert "everything within bounds" in capsys.readouterr().out


def test_out_of_bounds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(world, "DAMPING", 0.26)
    assert exit_status(monkeypatch, "simple_push_v3", "--steps", "50") == 1
    assert "6 of 6 comparisons out of bounds" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["simple_psh_v3"], ["--steps", "0"], ["--step", "9"]])
def test_wrong_arguments(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
