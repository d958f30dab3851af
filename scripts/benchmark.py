"""Measure speed: `python scripts/benchmark.py env`, `python scripts/benchmark.py scaling`."""

from jaxmarl_comm.benchmark.command import main

if __name__ == "__main__":
    raise SystemExit(main())
