"""The metrics of runs for TensorBoard, Weights & Biases or marl-eval: `python scripts/export.py RUN ... --to wandb`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "export_main")
