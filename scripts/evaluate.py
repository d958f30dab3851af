"""Evaluate a finished or interrupted run: `python scripts/evaluate.py --run runs/NAME`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "evaluate_main")
