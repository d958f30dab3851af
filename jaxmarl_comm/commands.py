"""`jaxmarl-comm COMMAND ...`, or `python -m jaxmarl_comm COMMAND ...`, wherever the package is installed."""

from __future__ import annotations

import sys

from jaxmarl_comm.interrupts import run_command

COMMANDS = {  # name -> (module, function, what it does)
    "train": ("cli", "train_main", "train a team of agents and evaluate it"),
    "evaluate": ("cli", "evaluate_main", "evaluate a run again"),
    "replay": ("cli", "replay_main", "watch a run's episodes, and who says what"),
    "report": ("cli", "report_main", "all that there is to say of runs, on one page"),
    "study": ("cli", "study_main", "train several protocols or settings, and compare them"),
    "crossplay": ("cli", "crossplay_main", "let seeds and runs meet each other"),
    "exploit": ("cli", "exploit_main", "train best responses to the sides of a run"),
    "export": ("cli", "export_main", "metrics of runs for TensorBoard, Weights & Biases, marl-eval"),
    "results": ("cli", "results_main", "put finished runs on a page of results"),
    "list": ("about", "list_main", "tasks, protocols, opponents, configs and studies that there are"),
    "check": ("cli", "check_main", "tell what is wrong with a task of one's own"),
    "doctor": ("about", "doctor_main", "versions, devices, and whether training works here"),
    "completion": ("completion", "completion_main", "the script with which a shell completes all this"),
    "ladder": ("ladders.command", "main", "compute what silent and all-knowing teams return"),
    "parity": ("envs.mpe.parity.command", "main", "compare every task with mpe2"),
    "benchmark": ("benchmark.command", "main", "measure speed"),
}
PROGRAM = "jaxmarl-comm"


def main() -> None:
    """Does not return: the process leaves with the command's exit status."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in COMMANDS:
        module, function, _ = COMMANDS[name]
        sys.argv[:2] = [f"{PROGRAM} {name}"]
        run_command(module, function)
    run_command("about", "help_main")
