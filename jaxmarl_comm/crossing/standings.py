"""How sides that compete do in a matrix of all against all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxmarl_comm.crossing.entries import Entry, Trained
from jaxmarl_comm.crossing.familiarity import diagonal_advantage
from jaxmarl_comm.crossing.nash import nash_average
from jaxmarl_comm.evaluation.stats import Estimate, estimate


class Side(NamedTuple):
    """One side of a matrix. entries: those who play it. returns: `[entries, opponents]`, its own.

    Who is told what its agents cannot know counts as nobody's opponent: it would be everybody's worst, and hide all
    others.
    """

    entries: Sequence[Entry]
    opponents: Sequence[Entry]
    returns: np.ndarray

    @property
    def ranked(self) -> np.ndarray:
        """Positions of the entries that know no more than their agents can."""
        return _ranked(self.entries)

    @property
    def equals(self) -> list[Entry]:
        """Opponents that count."""
        return [self.opponents[k] for k in _ranked(self.opponents)]

    @property
    def against_equals(self) -> np.ndarray:
        """`[entries, equals]`."""
        return self.returns[:, _ranked(self.opponents)]


def _ranked(entries: Sequence[Entry]) -> np.ndarray:
    return np.flatnonzero([not entry.told for entry in entries])


def standings(side: Side) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """(the entries with their mean, worst opponent and Nash average; the hardest mixture: opponent -> weight)."""
    returns, names = side.against_equals, [entry.name for entry in side.equals]
    nash, rating, weight = nash_average(returns[side.ranked]), *np.full((2, len(returns)), np.nan)
    rating[side.ranked], weight[side.ranked] = nash.ratings, nash.weights
    rows = [
        entry.described()
        | {"mean": float(own.mean()), "worst": float(own.min()), "worst_against": names[own.argmin()]}
        | {"nash_average": float(of_entry), "nash_weight": float(share)}
        for entry, own, of_entry, share in zip(side.entries, returns, rating, weight, strict=True)
    ]
    return rows, {name: float(share) for name, share in zip(names, nash.hardest, strict=True) if share}


def of_run(run: Trained, side: Side) -> dict[str, Estimate]:
    """Measure -> estimate over a run's seeds on this side. Seeds stand in the same order among their opponents.

    A run that has trained one side alone has nothing on the other, and no partners.
    """
    own, partners = (
        [k for k, entry in enumerate(entries) if entry.run == run.path] for entries in (side.entries, side.opponents)
    )
    among_equals, with_partners = side.against_equals[own], side.returns[np.ix_(own, partners)]
    alone = len(own) != len(partners)
    return {
        "mean": estimate(among_equals.mean(axis=1)),
        "worst": estimate(among_equals.min(axis=1)),
        "diagonal_advantage": estimate(np.full(len(own), np.nan)) if alone else diagonal_advantage(with_partners),
    }
