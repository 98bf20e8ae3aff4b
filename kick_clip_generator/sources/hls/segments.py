"""Segments of a playlist, fetched a few ahead of whoever reads them.

A bounded worker -> reader queue as in streamlink's `stream/segmented`: every wait has a time limit, and what was
fetched and may be read again soon (the next run's lead-in, the next clip) stays for a while, in memory or, where it is
known to be wanted, on the disk.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection
from concurrent.futures import Future
from pathlib import Path

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.sources.hls.container import container_of
from kick_clip_generator.sources.hls.crypt import Decryptor
from kick_clip_generator.sources.hls.inits import Inits
from kick_clip_generator.sources.hls.packed import packed_format, to_ts
from kick_clip_generator.sources.hls.playlist import Segment
from kick_clip_generator.sources.kept import Kept
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.safety import redact

# 4K at 50 Mbit/s in 10 s segments is 63 MB.
MAX_SEGMENT_BYTES = 128 * 2**20
# Read-ahead and what is kept may take this much memory each: eight 1080p60 segments, or one of 4K.
AHEAD_BYTES = 24 * 2**20
KEPT_BYTES = 24 * 2**20
# Of small ones so many: memory is as flat as it will ever be after the first few minutes.
KEPT_SEGMENTS = 16
# A server that answers with nothing or with an error page, as if all were well, is asked once more.
FETCH_TRIES = 2
POLL_S = 0.1


class SegmentFetcher:
    """Fetches segments by index, decrypted, known to be media by their first bytes; used by one thread.

    Packed audio comes as MPEG-TS, so that all who read it know its time.

    Args:
        client: does the requests; closed by its owner.
        segments: of one playlist.
        ahead: how many are fetched before they are asked for, at the same time.
        cancel: checked while waiting.
    """

    def __init__(
        self, client: HttpClient, segments: tuple[Segment, ...], ahead: int, cancel: CancelToken | None = None
    ) -> None:
        self._client = client
        self._segments = segments
        self._cancel = cancel
        self._ahead = ahead
        self._decryptor = Decryptor(client)
        self._threads: list[threading.Thread] = []
        self._orders: queue.SimpleQueue[tuple[Segment, Future[bytes]] | None] = queue.SimpleQueue()
        # Least recently read first.
        self._futures: dict[int, Future[bytes]] = {}
        self._inits = Inits(client, self._decryptor)
        self._largest_bytes = 0
        # What is wanted again, and where it goes when there is no more room in memory.
        self._wanted: Collection[int] = ()
        self._kept: Kept | None = None

    def get(self, index: int, *, stop: int) -> bytes:
        """The bytes of a segment, without its init section; those up to `stop` are fetched ahead.

        A segment that could not be had is not tried again while its failure is remembered.

        Raises:
            SourceError: when it cannot be had complete; outcome "gap" when the server has none of it.
            Cancelled: when the cancel token is up.
        """
        ahead = max(1, min(self._ahead, AHEAD_BYTES // max(1, self._largest_bytes)))
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

    def keep(self, wanted: Collection[int], folder: Path) -> None:
        """From now on keep these segments, and no others, on the disk when they leave memory.

        Args:
            wanted: will be asked for again.
            folder: for temporary files, the same in all calls.
        """
        self._wanted = wanted
        if self._kept is None:
            self._kept = Kept(folder)
        self._kept.only(wanted)

    def again(self, index: int) -> bytes:
        """Fetch a segment anew, though it was had.

        Raises:
            SourceError, Cancelled: as `get`; what was had before is kept.
        """
        before = self._futures.pop(index, None)
        if self._kept is not None:
            self._kept.drop(index)
        self._order(index)
        try:
            return self._wait(self._futures[index])
        except SourceError:
            if before is not None:
                self._futures[index] = before
            raise

    def init_of(self, segment: Segment) -> bytes:
        """As `Inits.of`."""
        return self._inits.of(segment)

    def held(self) -> list[int]:
        """The segments that are in memory, most recently read first."""
        return [
            index
            for index, future in reversed(self._futures.items())
            if future.done() and _bytes_of(future) is not None
        ]

    def replace(self, segments: tuple[Segment, ...]) -> None:
        """Go on with new addresses of the same segments; what could not be had is tried again."""
        self._segments = segments
        for index, future in list(self._futures.items()):
            if not future.done() or _bytes_of(future) is None:
                future.cancel()
                del self._futures[index]

    def close(self) -> None:
        """Let the threads end; those that wait for bytes do when the client is closed."""
        for future in self._futures.values():
            future.cancel()
        for _ in self._threads:
            self._orders.put(None)
        if self._kept is not None:
            self._kept.close()

    def _order(self, number: int) -> None:
        future: Future[bytes] = Future()
        self._futures[number] = future
        if self._kept is not None and (data := self._kept.get(number)) is not None:
            future.set_result(data)
            return
        self._orders.put((self._segments[number], future))
        if len(self._threads) < self._ahead:
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
                future.set_result(self._fetch(segment))
            except BaseException as error:
                # Raised again where the segment is read.
                future.set_exception(error)

    def _fetch(self, segment: Segment) -> bytes:
        shown = redact(segment.resource.url)
        failure: SourceError | None = None
        for _ in range(FETCH_TRIES):
            data = self._client.get_bytes(segment.resource.url, segment.resource.byte_range, cap=MAX_SEGMENT_BYTES)
            try:
                if not data:
                    raise SourceError(f"{shown} is empty (0 bytes).", outcome="gap")
                data = self._decryptor.decrypt(data, segment.key, segment.sequence, shown)
                if (form := packed_format(data)) is not None:
                    return to_ts(data, form, segment.span.start_s, shown)
                container_of(data, shown)
                return data
            except SourceError as error:
                failure = error
                if error.outcome not in ("gap", "not_media"):
                    break
        assert failure is not None
        raise failure

    def _wait(self, future: Future[bytes]) -> bytes:
        while True:
            try:
                return future.result(timeout=POLL_S)
            except TimeoutError:
                if self._cancel is not None:
                    self._cancel.check()

    def _forget(self, wanted: range) -> None:
        """Drop what was ordered but is not wanted any more, and what was read longest ago."""
        kept = kept_bytes = 0
        for number, future in reversed(list(self._futures.items())):
            if number in wanted:
                continue
            if future.done():
                # What failed stays known as long.
                data = _bytes_of(future)
                kept += 1
                kept_bytes += len(data or b"")
                if kept <= KEPT_SEGMENTS and kept_bytes <= KEPT_BYTES:
                    continue
                if self._kept is not None and data is not None and number in self._wanted:
                    self._kept.put(number, data)
            future.cancel()
            del self._futures[number]


def _bytes_of(future: Future[bytes]) -> bytes | None:
    """What a future that is done holds; None when it failed."""
    return None if future.cancelled() or future.exception() else future.result()
