"""Compute the ladders of all cooperative tasks, and check what the code says: `python scripts/ladder.py`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("ladders.command", "main")
