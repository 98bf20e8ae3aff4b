"""Several batches of windows at the same time: a thread, readers and decoders for each, results in order.

Batches lie at absolute boundaries and each starts its decoders anew, so the rows are those of one worker, bit for bit.
What a worker waits for most is its decoders, which are processes of their own.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import batches, measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.tracks import Tracks

POLL_S = 0.2
# Every wait of a worker looks at its token each half second.
JOIN_S = 5.0

Opens = Callable[[CancelToken], AbstractContextManager[Tracks]]


class Measure(Protocol):
    """`ticks.measure`, or what stands in for it."""

    def __call__(
        self, tracks: Tracks, windows: Sequence[Window], /, *, options: DecodeOptions, cancel: CancelToken
    ) -> Iterator[WindowResult]: ...


def measure_in_parallel(
    opens: Opens,
    windows: Sequence[Window],
    *,
    workers: int,
    options: DecodeOptions,
    cancel: CancelToken,
    measure: Measure = measure,
) -> Generator[WindowResult]:
    """As `ticks.measure`, with `workers` threads; of a recording whose length is known.

    Args:
        opens: opens the rendition once more; each worker reads on its own. The token ends its requests.
        windows: those still to do, ascending.
        workers: at most so many batches are under way; one more may wait to be taken.
        options: see `DecodeOptions`.
        cancel: looked at all the time.
        measure: what each worker does with a batch.

    Raises:
        What `measure` and `opens` raise, once the results before it were taken.
    """
    team = _Team(opens, batches(windows), options, measure)
    try:
        team.start(workers)
        for number in range(len(team.batches)):
            yield from team.results_of(number, cancel)
    finally:
        team.dismiss()


class _Team:
    def __init__(
        self, opens: Opens, work: Sequence[Sequence[Window]], options: DecodeOptions, measure: Measure
    ) -> None:
        self.batches = work
        self._opens = opens
        self._options = options
        self._measure = measure
        self._token = CancelToken()
        self._threads: list[threading.Thread] = []
        # Per batch: results, then None, or the error that ended it.
        self._results: list[queue.SimpleQueue[WindowResult | BaseException | None]] = [
            queue.SimpleQueue() for _ in work
        ]
        self._numbers = iter(range(len(work)))
        self._lock = threading.Lock()
        # What is measured ahead waits in memory, so nobody runs far ahead of the batch that is taken now.
        self._leave = threading.Semaphore(0)

    def start(self, workers: int) -> None:
        for place in range(min(workers, len(self.batches))):
            self._leave.release()
            thread = threading.Thread(target=self._work, name=f"batches-{place}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._leave.release()

    def results_of(self, number: int, cancel: CancelToken) -> Iterator[WindowResult]:
        """The results of a batch as they come.

        Raises:
            What ended it.
        """
        while True:
            cancel.check()
            try:
                result = self._results[number].get(timeout=POLL_S)
            except queue.Empty:
                continue
            if result is None:
                self._leave.release()
                return
            if isinstance(result, BaseException):
                raise result
            yield result

    def dismiss(self) -> None:
        """Let the workers end, whatever they do."""
        self._token.cancel()
        for _ in self._threads:
            self._leave.release()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _work(self) -> None:
        number: int | None = None
        with contextlib.suppress(Cancelled):
            try:
                number = self._next()
                with self._opens(self._token) as tracks:
                    while number is not None:
                        batch = self.batches[number]
                        for result in self._measure(tracks, batch, options=self._options, cancel=self._token):
                            self._results[number].put(result)
                        self._results[number].put(None)
                        number = self._next()
            except Cancelled:
                raise
            except BaseException as error:  # raised again where the batch is taken
                if number is not None:
                    self._results[number].put(error)

    def _next(self) -> int | None:
        """The next batch, when there is leave to begin one; None when there is none."""
        while not self._leave.acquire(timeout=POLL_S):
            self._token.check()
        self._token.check()
        with self._lock:
            return next(self._numbers, None)
