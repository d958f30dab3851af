"""All that there is to say of a run, or of several, on one page: `python scripts/report.py runs/NAME`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "report_main")
