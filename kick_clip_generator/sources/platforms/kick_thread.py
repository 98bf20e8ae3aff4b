"""A thread for calls that nobody can interrupt: whoever waits for one of them leaves when the run is stopped."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken

POLL_S = 0.1

T = TypeVar("T")


class Worker:
    """One daemon thread that runs what it is given, one after the other."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._abandoned = False

    def run(self, call: Callable[[], T], cancel: CancelToken | None) -> T:
        """The result of `call`, made in the thread.

        Raises:
            Cancelled: as soon as the token is up; the call goes on alone.
        """
        if cancel is not None:
            cancel.check()
        if self._abandoned:
            raise Cancelled("The inquiry was stopped.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="kick-api", daemon=True)
            self._thread.start()
        results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

        def deliver() -> None:
            try:
                results.put((call(), None))
            except BaseException as error:
                results.put((None, error))

        self._work.put(deliver)
        while True:
            try:
                result, error = results.get(timeout=POLL_S)
                break
            except queue.Empty:
                if cancel is not None and cancel.cancelled:
                    self._abandoned = True
                    cancel.check()
        if error is not None:
            raise error
        return result  # type: ignore[return-value]

    def finish(self, last: Callable[[], object]) -> None:
        """Run `last` after all else, and end the thread; does not wait."""
        if self._thread is not None:
            self._work.put(last)
            self._work.put(None)

    def _serve(self) -> None:
        while (call := self._work.get()) is not None:
            call()
