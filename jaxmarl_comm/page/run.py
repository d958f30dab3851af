"""What a report says of one run."""

from __future__ import annotations

from typing import Any

from jaxmarl_comm.page import curves
from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.messages import message_tables
from jaxmarl_comm.page.numbers import counted, duration, each, interval, million, number, percent, whole
from jaxmarl_comm.page.reading import Seen
from jaxmarl_comm.page.replay import player
from jaxmarl_comm.page.returns import ladder, treatments
from jaxmarl_comm.page.settings import settings
from jaxmarl_comm.page.verdict import Answer, verdict
from jaxmarl_comm.report.found import Found
from jaxmarl_comm.report.table import labels
from jaxmarl_comm.suggest import shown

SHARES = ("success", "listening_changed", "share_of")  # beginnings of measures told in percent
SIGNS = {"yes": "\N{CHECK MARK}", "no": "\N{MULTIPLICATION X}", "open": "\N{BULLET}"}

Film = dict[str, Any]


def run_sections(run: Seen, points: int, film: Film | str | None = None) -> Markup:
    """All that there is to say of a run. points: of each curve. film: of its episodes, or in words why not."""
    return join(
        [
            *_answers(run),
            *_replay(film),
            *_returns(run),
            *_curves(run, points),
            *_channel(run),
            *_numbers(run),
            _made(run),
        ]
    )


def about(run: Seen) -> str:
    """The run in a line."""
    cfg = run.cfg
    actions = "continuous" if run.env.continuous_actions else "discrete"
    length = f"{counted(cfg.num_seeds, 'seed')} of {million(cfg.env_steps)} steps"
    judged = "".join(f", judged where {name} is {shown(value)}" for name, value in run.other_arguments.items())
    return f"{cfg.algorithm} on {cfg.env.name}, {actions} actions, channel {cfg.comm.preset}, {length}{judged}"


def section(title: str, *content: Markup | str | None, note: str = "") -> Markup:
    """A part of the page under a heading, with what must be known to read it."""
    return tag("section", tag("h3", title), tag("p", note, class_="note") if note else None, *content)


def _answers(run: Seen) -> list[Markup]:
    found = [tag("div", *map(_answer, verdict(run)), class_="answers")] if run.evaluated else [_unfinished(run)]
    warnings = run.evaluated.warnings if run.evaluated else []
    if warnings:
        found.append(tag("ul", *(tag("li", warning) for warning in warnings), class_="warnings"))
    return found


def _answer(answer: Answer) -> Markup:
    word = tag("p", tag("span", SIGNS[answer.kind], class_="sign", aria_hidden="true"), " ", answer.word, class_="word")
    sentences = [tag("p", sentence) for sentence in answer.sentences]
    return tag("div", tag("h3", answer.question), word, *sentences, class_=f"answer {answer.kind}")


def _unfinished(run: Seen) -> Markup:
    done = f"{run.done:,} of {run.cfg.num_iters:,} iterations"
    bad = _diverged(run)
    told = f"This run was not evaluated yet: it has done {done}. "
    if bad:
        told = (
            f"Training diverged: at the end, {', '.join(bad)} {'is' if len(bad) == 1 else 'are'} not finite ({done}). "
        )
    return tag("p", told, "It goes on with --resume, and is evaluated at the end.", class_="unfinished")


def _diverged(run: Seen) -> list[str]:
    """Metrics that are not finite where they must be: a return is not known before an episode has ended."""
    last = run.rows[-1] if run.rows else {}
    lists = {name: values for name, values in last.items() if isinstance(values, list)}
    return [
        name for name, values in lists.items() if None in values and not name.startswith(("return", "truncated_share"))
    ]


def _replay(film: Film | str | None) -> list[Markup]:
    if film is None:
        return []
    if isinstance(film, str):
        return [section("Replays", tag("p", f"There is none: {film}."))]
    note = (
        "Of the first seed, from one start each: with messages as they are, muted, and shuffled with other episodes'."
    )
    return [section("Replays", player(film), note=note)]


def _returns(run: Seen) -> list[Markup]:
    if run.evaluated is None:
        return []
    over = f"Dot: mean; bar: 95 % interval over {run.evaluated.interval_over}; small dots: seeds. Greedy returns"
    where = section("Where it stands", ladder(run), note=f"{over}, undiscounted, mean over agents.")
    treated = section(
        "The same team, treated otherwise", treatments(run), note="The same episodes each time, from the same starts."
    )
    return [where, treated]


def _curves(run: Seen, points: int) -> list[Markup]:
    main, rest = curves.training(run, points)
    seeds = [f"seed {k}" for k in range(run.cfg.num_seeds)]
    drawn, more = (curves.frames(charts, seeds, "seed") for charts in (main, rest))
    if not (drawn or more):
        return []
    note = (
        "Thick: mean of the seeds that are switched on; band: from the lowest to the highest; thin: each seed. Point "
        "at a curve to read it."
    )
    others = tag("details", tag("summary", f"{len(rest)} more metrics"), more) if more else None
    return [section("How it learned", drawn, others, note=note)]


def _channel(run: Seen) -> list[Markup]:
    """What stands for what, and what is left of it on a worse channel."""
    parts, tables = [], run.evaluated.message_table if run.evaluated else None
    if tables:
        note = "p(goal | message), first seed. A message has the same number in every table, whoever sends it."
        parts.append(section("Messages and goals", message_tables(tables), note=note))
    worse = curves.frames(curves.worse_channels(run), [f"seed {k}" for k in range(run.cfg.num_seeds)], "seed")
    if worse:
        note = "The same team, on channels worse than the one that it was trained with."
        parts.append(section("On a worse channel", worse, note=note))
    return parts


def _numbers(run: Seen) -> list[Markup]:
    if run.evaluated is None:
        return []
    rows = [
        _measured(name, label, found, run.before(name))
        for name, label in labels(list(run.env.team_names), run.evaluated.measured).items()
        if (found := run.found(name))
    ]
    over = f"95 % over {run.evaluated.interval_over}"
    head = tag("tr", *(tag("th", word) for word in ("measure", "mean", over, "untrained", "of each seed")))
    episodes = f"{run.evaluated.episodes:,} episodes here"
    episodes += f", {run.evaluated.episodes_reference:,} in {run.env.reference}." if run.env.reference else "."
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="measures")
    return [section("All measures", tag("div", table, class_="wide"), note=episodes)]


def _measured(name: str, label: str, found: Found, before: Found | None) -> Markup:
    if name.startswith(SHARES):
        each_seed = ", ".join(map(percent, found.of_each_seed))
        ends = "" if found.low is None or found.high is None else f"[{percent(found.low)}, {percent(found.high)}]"
        cells = [percent(found.mean), ends, percent(before.mean) if before else "", each_seed]
    else:
        digits = 0 if whole(found) else 3
        told = number(before.mean, digits) if before else ""
        cells = [number(found.mean, digits), interval(found, digits), told, each(found, digits)]
    return tag("tr", tag("th", label), *(tag("td", cell) for cell in cells))


def _made(run: Seen) -> Markup:
    return section("How it was made", settings(run), _seconds(run))


def _seconds(run: Seen) -> Markup | None:
    """Where time went."""
    if run.evaluated is None:
        return None
    told = [f"{phase} {duration(seconds)}" for phase, seconds in run.evaluated.seconds.items()]
    rate = f"; {run.cfg.num_seeds / run.pace:,.0f} environment steps per second in training" if run.pace else ""
    return tag("p", tag("b", "Time "), f"{', '.join(told)}{rate}")
