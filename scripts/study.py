"""Compare protocols, and sweep their channels: `python scripts/study.py --config study_rate.yaml`."""

from jaxmarl_comm.cli import study_main

if __name__ == "__main__":
    raise SystemExit(study_main())
