"""Train a team of agents: `python scripts/train.py --config mappo_ref.yaml`."""

from jaxmarl_comm.cli import train_main

if __name__ == "__main__":
    raise SystemExit(train_main())
