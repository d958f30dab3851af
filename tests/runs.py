"""Whole runs, tiny ones, and commands started as a user starts them."""

import subprocess
import sys
from pathlib import Path

from jaxmarl_comm import default_cfg
from jaxmarl_comm.run_folder import RunFolder

ROOT = Path(__file__).parent.parent
TINY = {
    "num_iters": 6,
    "num_envs": 4,
    "num_minibatches": 2,
    "hidden_dim": 8,
    "log_interval": 2,
    "checkpoint_interval": 2,
    "eval_episodes": 20,
    "eval_episodes_reference": 4,
}
EVOLVING = {"evolution.population_size": 4, "evolution.evo_interval": 2, "evolution.fitness_episodes": 20}
SIMPLEST = {**TINY, "env.name": "simple_v3", "comm.preset": "none"}  # where nobody cares what is learned
FEW_OF_REPLAY = {
    "algorithm": "matd3", "num_envs": 2, "hidden_dim": 8, "log_interval": 2, "num_iters": 8, "batch_size": 50,
}  # fmt: skip


def as_options(settings):
    """The words of a command line for these settings."""
    return [str(word) for key, value in settings.items() for word in (f"--{key}", value)]


def start(name, *arguments, **pipes):
    """The running process of one of `scripts/`."""
    command = [sys.executable, str(ROOT / "scripts" / f"{name}.py"), *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


def finish(name, *arguments):
    """(exit status, standard error) of one of `scripts/`."""
    process = start(name, *arguments)
    _, errors = process.communicate()
    return process.returncode, errors


def call(main, arguments, capsys):
    """(exit status, standard error) of the same command, called in this process."""
    capsys.readouterr()
    try:
        status = main(list(map(str, arguments)))
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err


def logged_run(path, rows):
    """A new run folder of two seeds in which these rows of metrics were logged."""
    folder = RunFolder.create(path, default_cfg().replace({**TINY, "num_seeds": 2}))
    for row in rows:
        folder.append_metrics(row)
    return path
