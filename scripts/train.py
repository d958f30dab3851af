"""Train a team of agents: `python scripts/train.py --config mappo_ref.yaml`."""

from jaxmarl_comm.interrupts import run_command

if __name__ == "__main__":
    run_command("cli", "train_main")
