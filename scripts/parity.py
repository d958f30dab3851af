"""Compare every task with mpe2 and print the largest differences: `python scripts/parity.py`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("envs.mpe.parity.command", "main")
