"""All records as a page in Markdown: tables of the tasks in which agents cooperate, of those in which sides compete."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.envs.ladder import Ladder
from jaxmarl_comm.scripted import AIMLESS

Record = dict[str, Any]
Found = dict[str, Any]

NOTHING = "-"
HEAD = """# Results

Made by `python scripts/results.py` from the records beside this page; `python scripts/results.py RUN ...` adds finished
runs. Returns are those of the tasks, which are mpe2 1.1.1's where it has them: undiscounted, **mean over agents** of a
team, greedy, on the episodes named at the end. *Mean*: over seeds, with Student's 95 % interval (of one seed, over
episodes); no interval where seeds differ in kind. *IQM*: interquartile mean over seeds, with a 95 % bootstrap interval,
which with five seeds covers 90 %. *Value of talk*: the return less that of a silent team trained as long. *Minutes*: of
training all seeds side by side, with short evaluations on the way, without compiling; often with another run beside it
on two hardware threads of one processor core, so that twice as long means nothing.
"""
COOPERATIVE = """
## Tasks in which agents cooperate

*Score*: 0 as good as the best silent team, 1 as good as one that learns all goals one step late. *Scripted*: a team
made by hand that knows everything from the first step on, in the same episodes, and how often it succeeds. *Oracle*: a
team that learns all goals one step late; where nobody has a private goal, the best plan found with hindsight;
*attainable*: by plans of single moves, and in how many episodes these succeed, which are sought for the return
(`python scripts/ladder.py`).
"""
COMPETITIVE = """
## Tasks in which sides compete

A return in self-play says who learned faster, not who is good; what counts is how a side does against others than
those it was trained with. *Among all*: against all seeds of the run, all scripted sides that know no more than their
agents can, and whoever else stands in the table of its cross-play below; *at worst*: against the worst of them for each
seed (`python scripts/crossplay.py RUN`). *Taken*: how much less a side returns against the best response that was
trained against it than with its own partner (`exploit.py`).
"""
COMMANDS = """
## How each run was made
"""


def page(records: Sequence[Record], folder: str) -> str:
    """The whole page, in the order of the records. folder: with the pictures, beside the page."""
    cooperative = [record for record in records if len(record["teams"]) == 1]
    competitive = [record for record in records if len(record["teams"]) > 1]
    lines = [HEAD]
    if cooperative:
        lines += [COOPERATIVE, *table(COOPERATIVE_COLUMNS, cooperative), *pictures(cooperative, folder)]
    if competitive:
        lines += [COMPETITIVE, *of_sides(competitive), *pictures(competitive, folder)]
    return "\n".join([*lines, COMMANDS, *map(made, records)]) + "\n"


def table(columns: dict[str, Any], rows: Sequence[Any]) -> list[str]:
    """Heading -> what stands under it, for each row."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return lines + ["| " + " | ".join(cell(row) for cell in columns.values()) + " |" for row in rows]


def mean(found: Found | None, digits: int = 2) -> str:
    """`-7.39 [-7.41, -7.37]`."""
    if not found or found["mean"] is None:
        return NOTHING
    return number(found["mean"], digits) + between(found["low"], found["high"], digits)


def iqm(found: Found | None) -> str:
    """The same of the middle half of the seeds."""
    if not found or "iqm" not in found:
        return NOTHING
    return number(found["iqm"], 2) + between(found["iqm_low"], found["iqm_high"], 2)


def number(x: float, digits: int) -> str:
    """With so many digits after the point."""
    return f"{x:.{digits}f}"


def between(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f" [{number(low, digits)}, {number(high, digits)}]"


def percent(found: Found | None) -> str:
    return NOTHING if not found or found["mean"] is None else f"{100 * found['mean']:.1f}%"


def steps(record: Record) -> str:
    return f"{record['env_steps'] / 1e6:.1f} M"


def task(record: Record) -> str:
    """`simple_spread_v3` and what it was told of: `N: 6`."""
    return ", ".join([f"`{record['task']}`", *map(escaped, told(record))])


def told(record: Record) -> Iterator[str]:
    """Each argument of the task that was given, as in a config."""
    return (f"{name}: {json.dumps(value)}" for name, value in record["arguments"].items())


def escaped(text: str) -> str:
    """For a cell of a table."""
    return text.replace("|", "\\|")


def actions(record: Record) -> str:
    return "continuous" if record["continuous"] else "discrete"


def minutes(record: Record) -> str:
    return "<1" if record["train_seconds"] < 60 else f"{record['train_seconds'] / 60:.0f}"


def rung(name: str) -> Any:
    """Cell of a rung of the ladder."""
    return lambda record: (
        NOTHING if not record["ladder"] or record["ladder"].get(name) is None else number(record["ladder"][name], 2)
    )


def attainable(record: Record) -> str:
    """What plans of single moves return, and how often they succeed."""
    ladder = record["ladder"] or {}
    value = ladder.get("attainable")
    return NOTHING if value is None else with_success(value, ladder.get("attainable_success"))


def scripted(record: Record) -> str:
    """What the best of the scripted teams returns that know the task, and how often it succeeds: `-7.42 (91%)`."""
    skilled = [found for name, found in record["baselines"].items() if name not in AIMLESS]
    means = [(mean_of(found, "return"), mean_of(found, "success")) for found in skilled]
    known = [(value, success) for value, success in means if value is not None]
    return with_success(*max(known, key=lambda found: found[0])) if known else NOTHING


def mean_of(found: Found, measure: str) -> float | None:
    return (found.get(measure) or {"mean": None})["mean"]


def with_success(value: float, success: float | None) -> str:
    """`-7.42 (91%)`."""
    return number(value, 2) + ("" if success is None else f" ({100 * success:.0f}%)")


def score(record: Record) -> str:
    """Where the return stands on today's ladder: see `Ladder.score`."""
    found, rungs = record["found"].get("return"), record["ladder"]
    if not found or not rungs or rungs["silent"] is None or rungs["oracle"] is None:
        return NOTHING
    ladder = Ladder(rungs["silent"], rungs["oracle"])
    return mean({end: None if found[end] is None else ladder.score(found[end]) for end in ("mean", "low", "high")})


COOPERATIVE_COLUMNS = {
    "task": task,
    "run": lambda record: escaped(f"`{record['name']}`"),
    "actions": actions,
    "algorithm": lambda record: record["algorithm"],
    "channel": lambda record: f"`{record['channel']}`",
    "seeds": lambda record: str(record["num_seeds"]),
    "steps per seed": steps,
    "return, mean": lambda record: mean(record["found"]["return"]),
    "IQM": lambda record: iqm(record["found"]["return"]),
    "success": lambda record: percent(record["found"]["success"]),
    "score": score,
    "scripted": scripted,
    "silent optimum": rung("silent"),
    "oracle": rung("oracle"),
    "attainable": attainable,
    "value of talk": lambda record: mean(record["found"]["value_of_talk"]),
    "in the reference": lambda record: mean(record["found"]["return_reference"]),
    "minutes": minutes,
}


def of_sides(records: Sequence[Record]) -> Iterator[str]:
    """A table of all runs, and one of all sides wherever they were crossed."""
    rows = [(record, team) for record in records for team in record["teams"]]
    yield from table(SIDE_COLUMNS, rows)
    for record in records:
        if record["crossplay"]:
            yield f"\n`{record['name']}` in {record['crossplay']['episodes']:,} common episodes:\n"
            yield from table(ENTRY_COLUMNS, list(entries(record)))


def of(measure: str) -> Any:
    """(record, team) -> what was found of this measure."""
    return lambda row: row[0]["found"][per_team(measure, row[0]["teams"])[row[0]["teams"].index(row[1])]]


def crossed(measure: str) -> Any:
    """(record, team) -> the run's estimate of this measure in cross-play; None where it was not crossed."""

    def find(row: tuple[Record, str]) -> Found | None:
        record, team = row
        runs = (record["crossplay"] or {}).get("runs") or []
        return runs[0].get(f"{measure}_{team}") if runs else None

    return find


SIDE_COLUMNS = {
    "task": lambda row: task(row[0]),
    "run": lambda row: escaped(f"`{row[0]['name']}`"),
    "side": lambda row: row[1],
    "algorithm": lambda row: row[0]["algorithm"],
    "channel": lambda row: f"`{row[0]['channel']}`",
    "seeds": lambda row: str(row[0]["num_seeds"]),
    "steps per seed": lambda row: steps(row[0]),
    "return in self-play": lambda row: mean(of("return")(row)),
    "success": lambda row: percent(of("success")(row)),
    "among all": lambda row: mean(crossed("mean")(row)),
    "at worst": lambda row: mean(crossed("worst")(row)),
    "own partner's advantage": lambda row: mean(crossed("diagonal_advantage")(row)),
    "taken": lambda row: taken(row),
    "minutes": lambda row: minutes(row[0]),
}
ENTRY_COLUMNS = {
    "side": lambda entry: entry["side"],
    "played by": lambda entry: escaped(entry["name"]) + "*" * entry["told"],
    "mean": lambda entry: number(entry["mean"], 2),
    "at worst": lambda entry: f"{number(entry['worst'], 2)} ({escaped(entry['worst_against'])})",
    "Nash average": lambda entry: NOTHING if entry["nash_average"] is None else number(entry["nash_average"], 2),
}


def taken(row: tuple[Record, str]) -> str:
    """What best responses take from a side."""
    exploit = row[0]["exploit"] or {"sides": {}}
    found = exploit["sides"].get(row[1])
    if not found:
        return NOTHING
    of_seeds, among = len(found["exploitability"]["of_each_seed"]), exploit["responders"]
    who = "a response" if among == 1 else f"the best of {among} responses"
    steps = f"{exploit['env_steps'] / 1e6:.1f} M steps"
    return f"{mean(found['exploitability'])} from {of_seeds} of the seeds, by {who} of {steps}"


def entries(record: Record) -> Iterator[Found]:
    """All who were crossed, of both sides; *: told what its agents cannot know."""
    for team, side in zip(record["teams"], ("rows", "columns"), strict=True):
        yield from (entry | {"side": team} for entry in record["crossplay"][side])


def pictures(records: Sequence[Record], folder: str) -> Iterator[str]:
    """The curves of each task."""
    for task, _ in groupby(sorted(records, key=lambda record: record["task"]), key=lambda record: record["task"]):
        yield f"\n![return during training on {task}, greedy]({folder}/{task}.png)"


def made(record: Record) -> str:
    """The command and the episodes of one run."""
    talk = f", its silent control {record['control']['env_steps'] / 1e6:.1f} M steps" if record["control"] else ""
    return f"- `{record['name']}`: `{record['command']}`; {record['episodes']:,} episodes{talk}"
