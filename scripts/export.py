"""The metrics of runs as files for TensorBoard: `python scripts/export.py runs/NAME [runs/OTHER ...]`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "export_main")
