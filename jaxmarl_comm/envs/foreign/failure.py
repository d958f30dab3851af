"""What an environment of others failed by, for whoever tells the user: XLA passes errors on with their tracebacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jaxmarl_comm.files import RunError


class EnvironmentFailedError(RuntimeError):
    """An environment in Python failed in the midst of a compiled program."""


_failures: list[EnvironmentFailedError] = []


def note(error: EnvironmentFailedError) -> EnvironmentFailedError:
    """The same error, kept."""
    _failures.append(error)
    return error


@contextmanager
def told_in_one_line(advice: str = "") -> Iterator[None]:
    """What a program raises inside because an environment failed is a RunError of one line, ending in this advice."""
    before = len(_failures)
    try:
        yield
    except RunError:
        raise
    except RuntimeError:  # jax's own, which is imported too late to be named here
        if len(_failures) > before:
            raise RunError(f"{_failures[-1]}{advice}") from None
        raise
