"""Segments of a playlist, fetched a few ahead of whoever reads them.

A bounded worker -> reader queue as in streamlink's `stream/segmented`: every wait has a time limit, and what was
fetched and may be read again soon (the next run's lead-in) stays for a while.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.playlist import Resource, Segment
from kick_clip_generator.sources.safety import redact

# 4K at 50 Mbit/s in 10 s segments is 63 MB.
MAX_SEGMENT_BYTES = 128 * 2**20
MAX_INIT_BYTES = 4 * 2**20
MAX_AHEAD = 4
# Read-ahead and what is kept may take this much memory each: four 1080p60 segments, or one of 4K.
AHEAD_BYTES = 24 * 2**20
KEPT_BYTES = 12 * 2**20
POLL_S = 0.1


class SegmentFetcher:
    """Fetches segments by index; used by one thread.

    Args:
        client: does the requests; closed by its owner.
        segments: of one playlist.
        workers: threads that fetch at the same time.
        cancel: checked while waiting.
    """

    def __init__(
        self, client: HttpClient, segments: tuple[Segment, ...], workers: int, cancel: CancelToken | None = None
    ) -> None:
        self._client = client
        self._segments = segments
        self._cancel = cancel
        self._workers = min(workers, MAX_AHEAD)
        self._threads: list[threading.Thread] = []
        self._orders: queue.SimpleQueue[tuple[Segment, Future[bytes]] | None] = queue.SimpleQueue()
        # Least recently read first.
        self._futures: dict[int, Future[bytes]] = {}
        self._inits: dict[Resource, bytes] = {}
        self._largest_bytes = 0

    def get(self, index: int, *, stop: int) -> bytes:
        """The bytes of a segment, without its init section; those up to `stop` are fetched ahead.

        A segment that could not be had is not tried again.

        Raises:
            SourceError: when it cannot be had complete.
            Cancelled: when the cancel token is up.
        """
        ahead = max(1, min(MAX_AHEAD, AHEAD_BYTES // max(1, self._largest_bytes)))
        wanted = range(index, max(index + 1, min(index + 1 + ahead, stop)))
        for number in wanted:
            if number not in self._futures and not self._segments[number].missing:
                self._order(number)
        if index in self._futures:
            self._futures[index] = self._futures.pop(index)
        self._forget(wanted)
        if self._segments[index].missing:
            raise SourceError(f"Segment {index} was lost before the recording was published.", outcome="gap")
        data = self._wait(self._futures[index])
        self._largest_bytes = max(self._largest_bytes, len(data))
        return data

    def init_of(self, segment: Segment) -> bytes:
        """The init section that goes before a segment; empty when it has none.

        Raises:
            SourceError: when it cannot be had.
        """
        if segment.init is None:
            return b""
        if segment.init not in self._inits:
            self._inits[segment.init] = self._client.get_bytes(
                segment.init.url, segment.init.byte_range, cap=MAX_INIT_BYTES
            )
        return self._inits[segment.init]

    def close(self) -> None:
        """Let the threads end; those that wait for bytes do when the client is closed."""
        for future in self._futures.values():
            future.cancel()
        for _ in self._threads:
            self._orders.put(None)

    def _order(self, number: int) -> None:
        future: Future[bytes] = Future()
        self._futures[number] = future
        self._orders.put((self._segments[number], future))
        if len(self._threads) < self._workers:
            # Daemons, unlike those of ThreadPoolExecutor: Ctrl-C must not wait for a slow server.
            thread = threading.Thread(target=self._work, name=f"segments-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            segment, future = order
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(_fetch(self._client, segment))
            except BaseException as error:
                # Raised again where the segment is read.
                future.set_exception(error)

    def _wait(self, future: Future[bytes]) -> bytes:
        while True:
            try:
                return future.result(timeout=POLL_S)
            except TimeoutError:
                if self._cancel is not None:
                    self._cancel.check()

    def _forget(self, wanted: range) -> None:
        """Drop what was ordered but is not wanted any more, and what was read longest ago."""
        kept_bytes = 0
        for number, future in reversed(list(self._futures.items())):
            if number in wanted:
                continue
            if future.done() and not future.cancelled():
                # What failed stays known.
                kept_bytes += 0 if future.exception() else len(future.result())
                if kept_bytes <= KEPT_BYTES:
                    continue
            future.cancel()
            del self._futures[number]


def _fetch(client: HttpClient, segment: Segment) -> bytes:
    data = client.get_bytes(segment.resource.url, segment.resource.byte_range, cap=MAX_SEGMENT_BYTES)
    if not data:
        raise SourceError(f"{redact(segment.resource.url)} is empty (0 bytes).", outcome="truncated")
    return data
