"""Put finished runs on the page of results: `python scripts/results.py runs/NAME [runs/OTHER ...]`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "results_main")
