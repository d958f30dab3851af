"""What a thread computes while this one does something else."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class Meanwhile(Generic[T]):
    """Begins at once. Nobody waits for it but who asks for its result, not even a process that ends."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._future: Future[T] = Future()
        Thread(target=self._run, args=(compute,), daemon=True).start()

    def result(self) -> T:
        """Raises what went wrong there."""
        return self._future.result()

    def _run(self, compute: Callable[[], T]) -> None:
        try:
            self._future.set_result(compute())
        except BaseException as error:  # told to whoever asks
            self._future.set_exception(error)
