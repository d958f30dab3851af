"""Cross what runs have learned: `python scripts/crossplay.py runs/NAME [runs/OTHER ...]`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "crossplay_main")
