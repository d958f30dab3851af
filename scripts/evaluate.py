"""Evaluate a finished or interrupted run: `python scripts/evaluate.py --run runs/NAME`."""

from jaxmarl_comm.cli import evaluate_main

if __name__ == "__main__":
    raise SystemExit(evaluate_main())
