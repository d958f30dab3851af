"""Ctrl-C, SIGTERM and SIGHUP, heard from a command's first second to its last, even while XLA compiles.

What a run keeps is written whole or not at all, so a command may leave at any moment. Only training is waited for, up
to the end of its chunk, to save what it has learned. This file imports the standard library, and what imports nothing
else, so that a script can listen before it imports anything that takes long.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NoReturn

from jaxmarl_comm import live

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FLUSH_SECONDS = 1.0
STOPPING = "stopping: at the end of this chunk, to save it; once more to leave at once"

_received: list[int] = []
_partings = ["stopped before anything was written"]
_waits = threading.Event()


def run_command(module: str, name: str) -> NoReturn:
    """Listen, then leave with the exit status of that function of one of our modules, which is imported only now."""
    listen()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names of files that are no text
    try:
        status = getattr(import_module(f"jaxmarl_comm.{module}"), name)()
    except SystemExit as request:
        status = request.code
    _leave(status)


def listen() -> None:
    """From now on the first signal stops the process, with one line and exit status 128 + its number.

    A thread of its own hears it, because the main thread hears nothing while it is in C++. Signals that the process was
    started to ignore (`nohup`) stay ignored.
    """
    heard, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)
    threading.Thread(target=_watch, args=(heard,), daemon=True).start()


@contextmanager
def parting(line: str) -> Iterator[None]:
    """While inside, this is what a process that leaves at once says last."""
    _partings.append(line)
    try:
        yield
    finally:
        _partings.pop()


@contextmanager
def waiting() -> Iterator[Callable[[], bool]]:
    """While inside, a first signal only makes the given function return True; a second one acts at once.

    Where nobody listens (a notebook), Ctrl-C in the main thread is treated alike: the second is a KeyboardInterrupt.
    """
    count = len(_received)
    before = _note_ctrl_c() if _is_notebook() else None
    _waits.set()
    try:
        yield lambda: len(_received) > count
    finally:
        _waits.clear()
        if before is not None:
            signal.signal(signal.SIGINT, before)


def exit_status() -> int:
    """What shells report of a process that the first signal stopped."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def _is_notebook() -> bool:
    """Whether Ctrl-C here is Python's own KeyboardInterrupt."""
    in_main = threading.current_thread() is threading.main_thread()
    return in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _note_ctrl_c() -> Any:
    def note(number: int, frame: Any) -> None:
        _received.append(number)
        signal.signal(number, signal.default_int_handler)
        _write(1, STOPPING)

    return signal.signal(signal.SIGINT, note)


def _watch(heard: int) -> None:
    while True:
        for number in os.read(heard, 1):
            _received.append(number)
            if not _waits.is_set():
                _leave(exit_status(), _partings[-1])
            # Closing a terminal hangs up twice.
            if len(_received) > 1 and number != signal.SIGHUP:
                _leave(exit_status(), _partings[-1])
            _write(1, STOPPING)


def _leave(status: Any, line: str | None = None) -> NoReturn:
    """End the process here and now: an interpreter that tidies up while XLA's threads run may crash."""
    flushing = threading.Thread(target=_flush, daemon=True)  # who reads our output may have stopped reading
    flushing.start()
    flushing.join(FLUSH_SECONDS)
    with live.cleared():
        if line:
            _write(2, f"error: {line}")
        os._exit(status if isinstance(status, int) else int(status is not None))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def _write(target: int, line: str) -> None:
    """To a file descriptor; a terminal that is gone is replaced by nothing, so that later lines do no harm."""
    try:
        with live.cleared():
            os.write(target, f"{line}\n".encode())
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), target)
