"""Recordings of mpe2 as short as they may be: rules that are broken must be noticed in them (`test_planted_errors`)."""

from __future__ import annotations

from functools import lru_cache

from jaxmarl_comm.envs.mpe.parity import Case, Recording, record
from jaxmarl_comm.envs.mpe.parity.recording import STARTS


@lru_cache
def recorded(case: Case) -> Recording:
    """Of each kind of start two episodes, four where they may end early, one where arguments are not the usual ones."""
    rounds = 4 if case.env.ends_early else 1 if case.arguments else 2
    return record(case, steps=max(200, rounds * len(STARTS) * case.env.max_cycles))
