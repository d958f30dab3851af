"""What shells complete, asked of the shells themselves where they are installed."""

import os
import shutil
import subprocess
import sys

import pytest

from jaxmarl_comm.commands import COMMANDS
from jaxmarl_comm.completion import SCRIPTS, candidates, completion_main
from jaxmarl_comm.envs import ENVS
from runs import ROOT, call

ASKED = {
    "bash": """
source /dev/stdin <<< "$(jaxmarl-comm completion bash)"
COMP_WORDS=(jaxmarl-comm {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_jaxmarl_comm
printf '%s\\n' "${{COMPREPLY[@]}}"
complete -p jaxmarl-comm
""",
    "zsh": """
compdef() {{ print "complete $*" }}
compadd() {{ print -l $found }}
_files() {{ print files }}
eval "$(jaxmarl-comm completion zsh)"
words=(jaxmarl-comm {words}); CURRENT=$#words
_jaxmarl_comm
""",
    "fish": """
jaxmarl-comm completion fish | source
complete -C "jaxmarl-comm {line}"
""",
}


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`jaxmarl-comm` on the PATH."""
    path = tmp_path / "bin" / "jaxmarl-comm"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m jaxmarl_comm "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def completed(shell, line):
    """What the shell would offer, or put there, at the end of a line."""
    words = " ".join(f"'{word}'" for word in line.split(" "))
    script = ASKED[shell].format(words=words, line=line)
    done = subprocess.run([shell, "-c", script], cwd=ROOT, text=True, capture_output=True, check=True)
    assert not done.stderr
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_shells_complete_what_the_program_says(shell, program):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    found = completed(shell, "train --env.name simple_s")
    assert {"simple_spread_v3", "simple_speaker_listener_v4"} <= set(found) and "simple_tag_v3" not in found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", [*COMMANDS, "--help", "--version"]),
        ("ex", ["exploit", "export"]),
        ("train --env.name ", list(ENVS)),
        ("train --comm.preset=sp", ["--comm.preset=speech"]),
        ("train --comm.preset = sp", ["speech"]),
        ("train --algorithm m", ["mappo", "maddpg", "matd3"]),
        ("train --lr-schedule c", ["constant", "cosine"]),
        ("train --config mappo_spread_", ["mappo_spread_long", "mappo_spread_silent", "mappo_spread_six"]),
        ("study --config abl", ["ablations"]),
        ("train --num-e", ["--num-envs"]),
        ("train --num_e", ["--num_envs"]),
        ("train --wandb", ["--wandb", "--wandb-project"]),
        ("train --run-dir ", []),
        ("train --lr ", []),
        ("train --share_params f", ["false"]),
        ("export --to ", ["tensorboard", "wandb", "marl-eval"]),
        ("export run", []),
        ("export --o", ["--output"]),
        ("list ta", ["tasks"]),
        ("completion ", list(SCRIPTS)),
        ("nothing ", []),
        ("doctor ", []),
    ],
)
def test_what_may_stand_at_the_end_of_a_line(line, found):
    *before, current = line.split(" ")
    assert candidates(before, current) == found


def test_a_switch_may_be_followed_by_options():
    found = candidates(["train", "--control"], "")
    assert found[:2] == ["true", "false"] and {"--test", "--lr", "--no-anneal-lr", "--iterations"} <= set(found)


def test_mistakes_are_one_line(capsys):
    status, errors = call(completion_main, ["tcsh"], capsys)
    assert status == 2 and errors.startswith("error: argument shell: invalid choice: 'tcsh'")
    assert errors.count("\n") == 1
