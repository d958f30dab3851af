"""Words for a user's mistake: what was given, in short, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from reprlib import Repr
from typing import Any

LONGEST_LINE = 400  # characters of an error
HUGE = 10**40


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message that suggests the known word most like a mistyped one; empty if none is like it."""
    meant = closest(word, known)
    return f", did you mean '{meant}'?" if meant else ""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like a mistyped one, if any is. Of dotted words the last parts are compared.

    A word with a section before its dot can only mean one of the same section.
    """
    section, _, last = word[:LONGEST_LINE].rpartition(".")
    known = [each for each in known if section in ("", each.rpartition(".")[0])]
    parts = {each.rpartition(".")[2].lower(): each for each in reversed(known)}
    match = difflib.get_close_matches(last.lower(), list(parts), n=1, cutoff=0.5)
    return parts[match[0]] if match else None


def listed(words: Sequence[str], conjunction: str = "and", most: int = 5) -> str:
    """`a, b and c`; of more than `most` the first, and how many more there are."""
    if len(words) > most:
        words = [*words[: most - 1], f"{len(words) - most + 1} more"]
    return f" {conjunction} ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def shown(value: Any) -> str:
    """What was given, as Python writes it, in one line of at most some two hundred characters."""
    return _Short().repr(value)


def one_line(message: str) -> str:
    """The same message without line breaks, its middle left out where it is too long to read.

    What is not printed, but obeyed by a terminal, is written out.
    """
    line, half = "".join(map(printed, " ".join(message.split()))), LONGEST_LINE // 2
    return line if len(line) <= LONGEST_LINE else f"{line[: half - 2]} ... {line[-half + 3 :]}"


def printed(character: str) -> str:
    return character if character.isprintable() else repr(character)[1:-1]


class _Short(Repr):
    """Few elements, few levels, and no digits of numbers that Python refuses to write."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 60
        self.maxlevel = self.maxdict = self.maxlist = self.maxtuple = 3

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < HUGE else f"a number of {x.bit_length():,} bits"
