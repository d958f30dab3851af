"""Compare protocols, and sweep their channels: `python scripts/study.py --config rate.yaml`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "study_main")
