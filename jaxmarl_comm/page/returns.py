"""Where a run's returns stand: on the ladder, and what becomes of them when messages are not what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from jaxmarl_comm.envs.base import per_team
from jaxmarl_comm.page.dots import Dot, dots, level
from jaxmarl_comm.page.markup import Markup, join, tag
from jaxmarl_comm.page.reading import Seen

TREATMENTS = {
    "return": "as it is",
    "return_muted": "messages muted",
    "return_shuffled": "messages shuffled: another episode's",
    "return_sampled": "actions sampled",
    "return_reference": "in the reference implementation",
}
RUNGS = {
    "silent": "silent optimum: the best silent team",
    "oracle": "oracle: all goals known",
    "attainable": "attainable, by plans of single actions",
}


def ladder(run: Seen) -> Markup:
    """Each side's return among those of others, from the worst to the best."""
    return _of_sides(run, lambda base: sorted(_rungs(run, base), key=lambda dot: dot.found.mean or 0.0))


def treatments(run: Seen) -> Markup:
    """Each side's return under each of TREATMENTS."""

    def of(base: str) -> Iterator[Dot]:
        for name, label in TREATMENTS.items():
            found = run.found(base.replace("return", name, 1))
            if found and not (
                name in ("return_muted", "return_shuffled") and run.found("messages_per_episode") is None
            ):
                yield Dot(label, found, own=name == "return")

    return _of_sides(run, of)


def _of_sides(run: Seen, rows: Callable[[str], Iterable[Dot]]) -> Markup:
    """Rows of each side's measure, `return` or `return_good`; with its name where there are several."""
    parts = []
    for team, base in zip(run.env.team_names, per_team("return", run.env.team_names), strict=True):
        drawn = dots(list(rows(base)))
        parts += [tag("h4", team)] if drawn and len(run.env.team_names) > 1 else []
        parts += [drawn] if drawn else []
    return join(parts)


def _rungs(run: Seen, base: str) -> Iterator[Dot]:
    if run.evaluated is None:
        return
    for name, found in run.evaluated.baselines.items():
        if base in found:
            yield Dot(f"scripted team: {name}", found[base])
    for label, found_of in (("untrained", run.before(base)), ("this run", run.found(base))):
        if found_of:
            yield Dot(label, found_of, own=label == "this run")
    control = run.evaluated.control
    if control and base in control.found:
        yield Dot("silent team, trained as long", control.found[base])
    if len(run.env.team_names) == 1 and run.judged.ladder:
        for name, label in RUNGS.items():
            if (x := getattr(run.judged.ladder, name)) is not None:
                yield Dot(label, level(x))
