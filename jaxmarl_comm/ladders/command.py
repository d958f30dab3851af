"""The command line of `scripts/ladder.py`: every rung computed, and held against what `Env.ladder` says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from jaxmarl_comm.envs import make_env
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.envs.mpe.task import MPETask
from jaxmarl_comm.ladders import microgrid
from jaxmarl_comm.ladders.estimate import cell
from jaxmarl_comm.ladders.rungs import Rungs, rungs
from jaxmarl_comm.options import Parser
from jaxmarl_comm.suggest import did_you_mean

ARGUMENTS: dict[str, tuple[dict[str, Any], ...]] = {
    "simple_v3": ({},),
    "simple_reference_v3": ({},),
    "simple_speaker_listener_v4": ({},),
    "simple_spread_v3": ({}, {"N": 6}),
    "simple_line_v1": ({},),
    "simple_formation_v1": ({},),
}
"""Task -> the arguments whose ladders are computed, with either kind of actions."""
TASKS = (*ARGUMENTS, microgrid.TASK)
EPISODES = 250
FEWEST_EPISODES = 50  # to tell a standard error from
TOLERANCE = 0.05  # beside three standard errors: numbers in the code are rounded, and climbs end early


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if `Env.ladder` says what is computed, 1 if not, 2 for wrong arguments."""
    parser = Parser(
        description="Compute what the best teams return in every cooperative task but collect_treasure, in mpe2's unit "
        "(25 steps, undiscounted, mean over agents), and fail where Env.ladder says otherwise by more than 3 standard "
        f"errors + {TOLERANCE}. silent: of teams that do not communicate. oracle: of teams that learn all goals one "
        "step late; without private goals, of plans made with hindsight. attainable: of plans made of single actions, "
        "after the oracle's, in the environment itself; their success: in how many episodes they succeed, though made "
        "for the return. silent and oracle are strict bounds in simple_v3, simple_reference_v3 and "
        "simple_speaker_listener_v4; elsewhere the oracle is the best that was found. Each is followed by its standard "
        f"error. {microgrid.TASK} has a table of its own: what a day costs."
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK", help=f"default: all of {', '.join(TASKS)}")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="planned for each row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the starts (default: %(default)s)")
    given = parser.parse_args(arguments)
    for task in given.tasks:
        if task not in TASKS:
            parser.error(f"no ladder of '{task}'{did_you_mean(task, TASKS)}; there are {', '.join(TASKS)}")
    if given.episodes < FEWEST_EPISODES or given.seed < 0:
        parser.error(f"--episodes must be at least {FEWEST_EPISODES}, and --seed at least 0")
    tasks = given.tasks or TASKS
    wrong = list(compute([task for task in tasks if task in ARGUMENTS], given.episodes, given.seed))
    if microgrid.TASK in tasks:
        wrong += microgrid.compute(given.episodes, given.seed)
    if wrong:
        print(f"error: Env.ladder differs: {'; '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def compute(tasks: Sequence[str], num_episodes: int, seed: int) -> Iterator[str]:
    """Print the table as it grows; in what each row differs from the code."""
    if not tasks:
        return
    names = "".join(f"{name:>17}" for name in ("silent", "oracle", "attainable", "their success"))
    print(f"{'':28}{'actions':12}{'arguments':11}{names}{'episodes':>10}")
    for task, arguments, kind in [(t, a, k) for t in tasks for a in ARGUMENTS[t] for k in ("discrete", "continuous")]:
        env = make_env(task, continuous_actions=kind == "continuous", **arguments)
        given = " ".join(f"{name}={value}" for name, value in arguments.items())
        what = " ".join(filter(None, (task, given, kind)))
        assert isinstance(env, MPETask)
        found = rungs(env, seed, num_episodes, partial(tell_progress, what, num_episodes))
        cells = "".join(map(cell, found))
        print(f"{task:28}{kind:12}{given or '-':11}{cells}{num_episodes:10,}", flush=True)
        yield from (f"{what}, {difference}" for difference in differences(env.ladder, found))


def tell_progress(what: str, num_episodes: int, done: int) -> None:
    """Beside the table, for whoever watches."""
    print(f"{what}: {done:,} of {num_episodes:,} episodes planned", file=sys.stderr, flush=True)


def differences(ladder: Ladder | None, found: Rungs) -> Iterator[str]:
    """Each rung of which the code says something else than was found, in words."""
    for name, mean in found._asdict().items():
        said = getattr(ladder, name, None)
        if said is None or mean is None:
            if said is not mean:
                yield f"{name}: {said}, computed: {mean and round(mean.value, 3)}"
        elif not abs(said - mean.value) <= 3 * mean.error + TOLERANCE:
            yield f"{name}: {said}, computed: {mean.value:.3f} ± {mean.error:.3f}"
