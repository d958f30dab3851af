"""One command for everything: what it finds, and what it says to a mistake."""

import subprocess
import sys

import pytest

from jaxmarl_comm import about
from jaxmarl_comm.about import doctor_main, list_main
from jaxmarl_comm.cli import find_config
from jaxmarl_comm.commands import COMMANDS
from jaxmarl_comm.envs import ENVS
from runs import ROOT, call


def command(*words):
    """(exit status, standard output, standard error) of `python -m jaxmarl_comm`."""
    line = [sys.executable, "-m", "jaxmarl_comm", *words]
    done = subprocess.run(line, cwd=ROOT, text=True, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def test_every_command_is_there_and_every_script_is_a_command():
    status, told, _ = command()
    assert status == 0 and all(f"\n  {name} " in told for name in COMMANDS)
    assert {script.stem for script in (ROOT / "scripts").glob("*.py")} <= set(COMMANDS)


def test_a_command_is_told_as_the_user_types_it():
    status, told, _ = command("evaluate", "--help")
    assert status == 0 and told.startswith("usage: jaxmarl-comm evaluate ")


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["trian"], 2, "error: there is no command 'trian', did you mean 'train'? (see --help)\n"),
        (["replay", "nowhere"], 1, "error: nowhere is not a run folder: it has no config.yaml\n"),
        (["list", "task"], 2, "error: argument kind: invalid choice: 'task'"),
    ],
)
def test_a_mistake_is_one_line(words, status, told):
    found, said, errors = command(*words)
    assert (found, said) == (status, "") and errors.startswith(told) and errors.count("\n") == 1


def test_help_imports_nothing_that_takes_long():
    script = "import sys; sys.argv = ['jaxmarl-comm']\nfrom jaxmarl_comm import about; about.help_main()\n"
    done = subprocess.run(
        [sys.executable, "-c", script + "print('jax' in sys.modules)"], cwd=ROOT, text=True, capture_output=True
    )
    assert done.stdout.endswith("False\n")


def test_what_is_listed_can_be_named(capsys):
    assert list_main([]) == 0
    told = capsys.readouterr().out
    assert all(f"  {task}\n" in told for task in ENVS)
    assert list_main(["configs"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "configs:"
    for line in told[1:]:
        name, said = line.split(maxsplit=1)
        assert find_config(name, about.CONFIGS).exists() and len(said) > 20


def test_the_doctor_trains_a_team(capsys):
    assert doctor_main([]) == 0
    told = capsys.readouterr().out
    assert "jax " in told and "device 0: " in told and "training works here" in told


def test_the_doctor_sees_what_is_wrong(capsys, monkeypatch):
    monkeypatch.setattr(about, "try_training", lambda: False)
    status, errors = call(doctor_main, [], capsys)
    assert status == 1 and errors.startswith("error: training does not work here") and errors.count("\n") == 1


def test_a_device_that_is_not_there_is_one_line(capsys, monkeypatch):
    def fail():
        raise AssertionError("no CUDA here")

    monkeypatch.setattr(about, "tell_devices", fail)
    status, errors = call(doctor_main, [], capsys)
    assert (status, errors) == (1, "error: jax does not work here: AssertionError: no CUDA here\n")
