"""The command line of `scripts/parity.py`: every task compared with mpe2, and the largest differences."""

from __future__ import annotations

from collections.abc import Sequence

from jaxmarl_comm.envs.mpe.parity import (
    ARGUMENTS,
    FLOAT32_TOLERANCE,
    FLOAT64_TOLERANCE,
    Difference,
    cases,
    compare_episodes,
    compare_steps,
    compiled_step,
    record,
)
from jaxmarl_comm.options import Parser
from jaxmarl_comm.suggest import did_you_mean


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if everything is within bounds, 1 if something is not, 2 for wrong arguments."""
    parser = Parser(
        description="Compare every task with mpe2, and print the largest differences of observations, rewards and "
        "states (relative where mpe2's number is above 1) and the number of wrong flags. "
        f"Fails if one is out of bounds: {FLOAT32_TOLERANCE:g} in float32, {FLOAT64_TOLERANCE:g} in float64; "
        "flags must never differ."
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="tasks to compare; default: all")
    parser.add_argument("--steps", type=int, default=1200, help="of mpe2 for each comparison (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of starts and actions (default: %(default)s)")
    given = parser.parse_args(arguments)
    for task in given.tasks:
        if task not in ARGUMENTS:
            parser.error(f"unknown task '{task}'{did_you_mean(task, ARGUMENTS)}; there are {', '.join(ARGUMENTS)}")
    if given.steps < 1 or given.seed < 0:
        parser.error("--steps must be at least 1, and --seed at least 0")
    return compare(tuple(given.tasks) or tuple(ARGUMENTS), given.steps, given.seed)


def compare(tasks: tuple[str, ...], steps: int, seed: int) -> int:
    """Print the table; the exit status."""
    print(f"{'':20}{'obs':>9}{'reward':>9}{'state':>9}{'flags':>7}{'steps':>7}{'edges':>7}")
    failures = 0
    for case in cases(tasks):
        print(case)
        step, recording = compiled_step(case.env), record(case, steps, seed)
        rows = {
            "float32 steps": (compare_steps(step, recording, x64=False), FLOAT32_TOLERANCE),
            "float64 steps": (compare_steps(step, recording, x64=True), FLOAT64_TOLERANCE),
            "float64 episodes": (compare_episodes(step, recording), FLOAT64_TOLERANCE),
        }
        for kind, (difference, tolerance) in rows.items():
            failed = not difference.within(tolerance)
            failures += failed
            print(f"  {kind:18}{numbers(difference)}{'   OUT OF BOUNDS' if failed else ''}", flush=True)
    print(
        f"{failures} of {3 * len(cases(tasks))} comparisons out of bounds" if failures else "everything within bounds"
    )
    print("edges: float32 steps left out, because moving things by 1e-6 changes their outcome by more than 1e-4")
    return 1 if failures else 0


def numbers(difference: Difference) -> str:
    """The columns of the table."""
    d = difference
    return f"{d.obs:9.1e}{d.reward:9.1e}{d.state:9.1e}{d.flags:7}{d.steps:7}{d.edges:7}"
