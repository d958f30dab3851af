"""Look at episodes of a run, and at who says what: `python scripts/replay.py runs/NAME`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "replay_main")
