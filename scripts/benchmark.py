"""Measure speed: `python scripts/benchmark.py env`, `python scripts/benchmark.py scaling`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("benchmark.command", "main")
