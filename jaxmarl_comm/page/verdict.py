"""What an evaluation comes to, in words: does it talk, does anyone listen, what would silence make?"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.page.numbers import counted, estimate, mean, number, percent
from jaxmarl_comm.page.reading import Seen
from jaxmarl_comm.report.found import Found

MOVED = 0.05  # total variation by which other messages move whoever listens
TELLING = 0.05  # nats more than an untrained team's messages tell

YES, NO, OPEN = "yes", "no", "open"  # how an answer looks


class Answer(NamedTuple):
    """To a question, in a word or two, and in sentences. kind: YES, NO or OPEN."""

    question: str
    word: str
    kind: str
    sentences: Sequence[str]


def verdict(run: Seen) -> list[Answer]:
    """Three answers; none before the run was evaluated."""
    return [talks(run), listens(run), silence(run)] if run.evaluated else []


def talks(run: Seen) -> Answer:
    question, sent = "Does it talk?", run.found("messages_per_episode")
    if sent is None:
        return Answer(
            question, "It cannot", OPEN, ["Nobody can: there is neither a channel nor a word (comm.preset: none)."]
        )
    if not sent.mean:
        return Answer(question, "No", NO, ["Agents could, but send nothing."])
    word, kind = _formed(run)
    return Answer(question, word, kind, [*_protocol(run), *_told(run), _cost(run, sent)])


def _formed(run: Seen) -> tuple[str, str]:
    """By seeds that formed a protocol, where that is defined; else by what messages tell beyond an untrained team's."""
    fraction = run.evaluated.protocol_fraction if run.evaluated else None
    if fraction is not None:
        return ("Yes", YES) if fraction == 1 else ("Some seeds do", OPEN) if fraction > 0 else ("Not to any use", NO)
    told, before = _telling(run)
    if told is None or before is None:
        return "It sends", OPEN
    return ("Yes", YES) if _tells_more(told, before) else ("No sign of it", NO)


def _telling(run: Seen) -> tuple[Found | None, Found | None]:
    """What messages tell of goals, and an untrained team's; step by step, so that what is sent but once counts."""
    return run.found("message_information_by_step"), run.before("message_information_by_step")


def _tells_more(told: Found, before: Found) -> bool:
    return (told.mean or 0.0) > (before.mean or 0.0) + TELLING


def _protocol(run: Seen) -> list[str]:
    evaluated = run.evaluated
    if evaluated is None or evaluated.protocol_fraction is None:
        return []
    formed = round(evaluated.protocol_fraction * run.cfg.num_seeds)
    return [
        f"{formed} of {run.cfg.num_seeds} seeds formed a protocol: return nearer to that of a team that knows all "
        "goals than to the best silent team's."
    ]


def _told(run: Seen) -> list[str]:
    told, before = _telling(run)
    if told is None:
        return ["Nobody has a private goal, so there is no telling what messages tell of it."]
    most = f" of {log(run.env.num_goals):.2f}" if run.env.num_goals > 1 else ""
    found = [f"Of a goal, messages tell {estimate(told)}{most} nats; an untrained team's tell {estimate(before)}."]
    if before and not _tells_more(told, before):
        found.append("That is no more, so it is no evidence of learning: what counts is whether anyone listens.")
    return found


def _cost(run: Seen, sent: Found) -> str:
    bits = run.found("bits_per_episode")
    return f"In an episode each speaker sends {counted(sent.mean, 'message')}, {counted(mean(bits), 'bit')}."


def listens(run: Seen) -> Answer:
    question = "Does anyone listen?"
    muted, shuffled = run.found("listening_tv_muted"), run.found("listening_tv_shuffled")
    if muted is None or shuffled is None:
        return Answer(question, "Nobody", OPEN, ["There is nothing to be heard."])
    moved = shuffled.mean or 0.0
    if moved >= MOVED or _loses(run):
        return Answer(question, "Yes", YES, [_changed(run), _treated(run)])
    word, kind = ("Hardly", OPEN) if moved >= MOVED / 10 else ("No", NO)
    return Answer(question, word, kind, [_changed(run), _treated(run)])


def _loses(run: Seen) -> bool:
    """Whether a side's return is surely less with others' messages: one that was heard once may be remembered."""
    pairs = [_treatments(run, base) for base in per_team("return", run.env.team_names)]
    return any(clear and shuffled and _end(shuffled, "high") < _end(clear, "low") for clear, _, shuffled in pairs)


def _end(found: Found, end: str) -> float:
    """Of the interval; the mean where there is none."""
    bound: float | None = getattr(found, end)
    return (found.mean or 0.0) if bound is None else bound


def _treatments(run: Seen, base: str) -> list[Found | None]:
    """A side's return as it is, muted and shuffled."""
    return [run.found(base.replace("return", name, 1)) for name in ("return", "return_muted", "return_shuffled")]


def _changed(run: Seen) -> str:
    changed = [run.found(f"listening_changed_{name}") for name in ("muted", "shuffled")]
    muted, shuffled = (percent(mean(each)) for each in changed)
    return f"Hearing nothing changes {muted} of greedy actions, hearing another episode's messages {shuffled}."


def _treated(run: Seen) -> str:
    """Returns of each side under each treatment."""
    sentences = []
    for team, base in zip(run.env.team_names, per_team("return", run.env.team_names), strict=True):
        clear, muted, shuffled = (number(mean(each)) for each in _treatments(run, base))
        whose = f" of {team}" if len(run.env.team_names) > 1 else ""
        sentences.append(f"Return{whose}: {clear} as it is, {muted} muted, {shuffled} shuffled.")
    return " ".join(sentences)


def silence(run: Seen) -> Answer:
    question = "What would silence make?"
    if run.found("messages_per_episode") is None:
        return Answer(question, "This", OPEN, ["It is silent.", *_best_silent(run)])
    teams = run.env.team_names
    values = zip(teams, map(run.found, per_team("value_of_talk", teams)), strict=True)
    known = [(team, each) for team, each in values if each is not None and each.mean is not None]
    if not known or run.evaluated is None or run.evaluated.control is None:
        return _without_control(question, run)
    team, first = known[0]
    control, worth = run.evaluated.control, first.mean or 0.0
    sure = first.low is not None and first.low > 0
    whose = f" for {team}" if len(teams) > 1 else ""
    word = f"{number(abs(worth))} {'less' if worth > 0 else 'more'}{whose}"
    sentences = [
        f"A silent team trained as long returns {_of_each_team(run, control.found, 'return')}: talk is worth "
        f"{_of_each_team(run, run.evaluated.found, 'value_of_talk')} (95 % interval over {control.interval_over})."
    ]
    return Answer(question, word, YES if sure else NO if worth < 0 else OPEN, sentences)


def _without_control(question: str, run: Seen) -> Answer:
    unknown = (
        "No silent team was trained beside it (control: true trains one). What is lost by muting does not tell: this "
        "team never learned to do without messages."
    )
    ladder, found = run.judged.ladder, run.found("return")
    if not ladder or ladder.silent is None or not found or found.mean is None:
        return Answer(question, "Not known", OPEN, [unknown])
    gain = found.mean - ladder.silent
    word, kind = (f"At least {number(gain)} less", YES) if gain > 0 else ("Not known", OPEN)
    return Answer(question, word, kind, [*_best_silent(run), unknown])


def _best_silent(run: Seen) -> list[str]:
    ladder, found = run.judged.ladder, run.found("return")
    if not ladder or ladder.silent is None:
        return []
    return [f"The best silent team that there can be returns {number(ladder.silent)}; this one {estimate(found)}."]


def _of_each_team(run: Seen, found: dict[str, Found], measure: str) -> str:
    """`−16.82 [−16.83, −16.82]`, or `good −3.00, adversary 2.00`."""
    names = per_team(measure, run.env.team_names)
    if len(names) == 1:
        return estimate(found.get(names[0]))
    parts = [f"{team} {estimate(found.get(name))}" for team, name in zip(run.env.team_names, names, strict=True)]
    return ", ".join(parts)
