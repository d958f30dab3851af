"""A line at the foot of a terminal that says what goes on; what is printed meanwhile stands above it.

This file imports the standard library alone, as `interrupts.py` does, before whose last words the line goes.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO

TICK = 0.2  # seconds from one drawing to the next
PATIENCE = 1.0  # seconds
ERASED = "\r\x1b[K"  # to the start of the line, and clear it
WAVE = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

_feet: list[Foot] = []  # the one that is drawn, if there is one


@contextmanager
def foot(told: Callable[[], str]) -> Iterator[None]:
    """While inside, the last line of the terminal is what `told` says, five times a second, also while XLA compiles.

    Where standard output is no terminal, or belongs to a foot already, nothing is drawn.
    """
    out = sys.stdout
    if _feet or not is_terminal(out):
        yield
        return
    out.flush()
    drawn = Foot(out, told)
    _feet.append(drawn)
    ticking = threading.Thread(target=drawn.tick, daemon=True)
    ticking.start()
    errors: Any = Above(drawn, sys.stderr) if sys.stderr.isatty() else sys.stderr
    above: Any = Above(drawn, out)
    try:
        with redirect_stdout(above), redirect_stderr(errors):
            yield
    finally:
        drawn.stop()
        ticking.join()
        _feet.remove(drawn)


def is_terminal(stream: TextIO) -> bool:
    """Whether a line can be drawn anew there: not into a pipe, a notebook or the log of a CI."""
    return stream.isatty() and os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("CI")


@contextmanager
def cleared() -> Iterator[None]:
    """While inside, a foot that is drawn is out of the way of those who write past Python's streams.

    Whoever waits for a terminal that takes nothing more is not waited for.
    """
    waited_for = [drawn for drawn in _feet if drawn.lock.acquire(timeout=PATIENCE)]
    try:
        for drawn in waited_for:
            drawn.erase()
        yield
    finally:
        for drawn in waited_for:
            drawn.lock.release()


def drawable(symbols: str, plain: str) -> str:
    """The symbols if standard output knows them, or the plain ones."""
    try:
        symbols.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return plain
    return symbols


def clock(seconds: float) -> str:
    """Minutes and seconds, `2:05`, and hours where there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def waiting(what: str) -> Callable[[], str]:
    """What a foot says of something that takes an unknown time, from now on."""
    began, wave = time.perf_counter(), drawable(WAVE, "-\\|/")

    def told() -> str:
        seconds = time.perf_counter() - began
        return f"{wave[int(seconds / TICK) % len(wave)]} {what}  {clock(seconds)}"

    return told


class Foot:
    """The last line of a terminal, drawn again and again."""

    def __init__(self, terminal: TextIO, told: Callable[[], str]) -> None:
        self.terminal, self.told = terminal, told
        self.lock = threading.RLock()  # a signal's handler may print while the same thread does
        self.at_start = True  # of a line; else something was printed that goes on
        self.stopped = threading.Event()

    def tick(self) -> None:
        """Draw until stopped."""
        self.draw()
        while not self.stopped.wait(TICK):
            self.draw()

    def draw(self) -> None:
        """The cursor is left at the start of the line, where whatever is printed replaces it."""
        with self.lock:
            if self.at_start and not self.stopped.is_set():
                self._write(f"\r{self.told()[: self._width()]}\x1b[K\r")

    def erase(self) -> None:
        """Clear the line, if it is ours."""
        if self.at_start:
            self._write(ERASED)

    def stop(self) -> None:
        """Erase, and never draw again."""
        self.stopped.set()
        with self.lock:
            self.erase()

    def _width(self) -> int:
        """One less than the terminal has, which would begin a new line in the last column."""
        with suppress(OSError, ValueError):
            return (os.get_terminal_size(self.terminal.fileno()).columns or 80) - 1
        return 0

    def _write(self, text: str) -> None:
        """Past Python's buffers, which are empty by now; a terminal may be gone."""
        with suppress(OSError, ValueError):
            os.write(self.terminal.fileno(), text.encode(self.terminal.encoding, "replace"))


class Above:
    """A stream to a terminal whose text goes above the foot."""

    def __init__(self, foot: Foot, stream: TextIO) -> None:
        self._foot, self._stream = foot, stream

    def write(self, text: str) -> int:
        """As a stream's; the foot comes back once the line is whole."""
        with self._foot.lock:
            self._foot.erase()
            count = self._stream.write(text)
            self._stream.flush()
            if text:
                self._foot.at_start = text.endswith("\n")
            self._foot.draw()
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
