"""How far these environments are from mpe2: the same starts and actions through both, and the largest differences.

mpe2 plays first and everything is recorded, in float64. Then this project's step runs over the recording: either from
mpe2's state before every step (single steps), or from its first state alone (episodes).

`cases.py` says what is compared, `recording.py` plays mpe2, `comparison.py` compares. The tests use them, and
`scripts/parity.py`.
"""

from jaxmarl_comm.envs.mpe.parity.cases import ARGUMENTS, Case, cases
from jaxmarl_comm.envs.mpe.parity.comparison import (
    FLOAT32_TOLERANCE,
    FLOAT64_TOLERANCE,
    Difference,
    Step,
    compare_episodes,
    compare_steps,
    compiled_step,
)
from jaxmarl_comm.envs.mpe.parity.recording import Recording, read_state, record

__all__ = [
    "ARGUMENTS",
    "FLOAT32_TOLERANCE",
    "FLOAT64_TOLERANCE",
    "Case",
    "Difference",
    "Recording",
    "Step",
    "cases",
    "compare_episodes",
    "compare_steps",
    "compiled_step",
    "read_state",
    "record",
]
