"""The bytes of a running stream's pieces: fetched a few ahead of the reader, and before the server forgets them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from kick_clip_generator.core.errors import Cancelled, SourceError, SourceLost
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.sources.hls.crypt import Decryptor
from kick_clip_generator.sources.hls.inits import Inits
from kick_clip_generator.sources.hls.packed import packed_format, to_ts
from kick_clip_generator.sources.hls.playlist import Segment
from kick_clip_generator.sources.live.follow import LiveFollower
from kick_clip_generator.sources.live.timeline import WAIT_S, LiveTimeline, Piece
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.safety import redact

# 4K at 50 Mbit/s in 10 s segments is 63 MB.
MAX_SEGMENT_BYTES = 128 * 2**20
# What waits to be read, and what was read and may be again (the next run's lead-in).
AHEAD_BYTES = 24 * 2**20
KEPT_BYTES = 12 * 2**20
# Refused pieces in a row after which all of them will be.
REFUSALS_BEFORE_LOST = 5
# How long a refused piece waits for its new address, and one of a dead network for the playlist to answer again.
RENEWAL_S = 10.0
PAUSE_S = 1.0


@dataclass(slots=True, eq=False)
class _Slot:
    """A piece that is being fetched, was, or could not be."""

    data: bytes | None = None
    error: Exception | None = None
    read: bool = False

    @property
    def done(self) -> bool:
        return self.data is not None or self.error is not None


class LiveSegments:
    """Fetches pieces; used by any number of threads.

    Args:
        client: does the requests; closed by its owner.
        timeline: what there is; its lock guards everything here, too.
        follower: knows whether the network is alive, and looks the stream up when pieces are refused.
        settings: threads and pieces ahead.
        check: raises when waiting is to end.
    """

    def __init__(
        self,
        client: HttpClient,
        timeline: LiveTimeline,
        follower: LiveFollower,
        settings: Settings,
        check: Callable[[], None],
    ) -> None:
        self._client = client
        self._timeline = timeline
        self._changed = timeline.changed
        self._follower = follower
        self._check = check
        self._ahead = settings.prefetch_segments
        self._workers = settings.prefetch_segments
        self._position = -1
        self._urgent: list[int] = []
        # Least recently read first.
        self._slots: dict[int, _Slot] = {}
        self._decryptor = Decryptor(client)
        self._inits = Inits(client, self._decryptor)
        self._largest_bytes = 0
        self._refusals = 0
        self._closed = False
        self._threads: list[threading.Thread] = []

    def follow(self, number: int) -> None:
        """A run goes on with a piece: it and those behind it are fetched ahead from now on."""
        with self._changed:
            self._position = number
            self._start()
            self._changed.notify_all()

    def get(self, piece: Piece) -> bytes:
        """The bytes of a piece, decrypted, without its init section. One that could not be had is not tried again.

        Raises:
            SourceError: when it cannot be had complete.
            SourceLost: when nothing more can.
            Cancelled: when reading was stopped.
        """
        number = piece.number
        with self._changed:
            self._start()
            while (slot := self._slots.get(number)) is None or not slot.done:
                if slot is None and number not in self._urgent:
                    if number < self._timeline.first:
                        raise SourceError("The server does not keep this piece of the stream any more.", outcome="gap")
                    self._urgent.append(number)
                    self._changed.notify_all()
                self._check()
                self._changed.wait(WAIT_S)
            self._slots[number] = self._slots.pop(number)
            slot.read = True
            self._forget()
            if slot.error is not None:
                raise slot.error
            assert slot.data is not None
            return slot.data

    def init_of(self, segment: Segment) -> bytes:
        """As `Inits.of`."""
        return self._inits.of(segment)

    def close(self) -> None:
        """Let the threads end; those that wait for bytes do when the client is closed."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start(self) -> None:
        while len(self._threads) < self._workers:
            thread = threading.Thread(target=self._work, name=f"live-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                while (piece := self._next()) is None:
                    if self._closed:
                        return
                    self._changed.wait(PAUSE_S)
                slot = self._slots[piece.number] = _Slot()
            try:
                data = self._patiently(piece)
            except BaseException as error:
                # Raised again where the piece is read.
                with self._changed:
                    slot.error = error if isinstance(error, Exception) else Cancelled("Reading was stopped.")
                    self._changed.notify_all()
                continue
            with self._changed:
                slot.data = data
                self._largest_bytes = max(self._largest_bytes, len(data))
                self._changed.notify_all()

    def _next(self) -> Piece | None:
        """What to fetch now, if anything."""
        timeline = self._timeline
        if self._closed:
            return None
        while self._urgent:
            number = self._urgent.pop(0)
            if number not in self._slots and timeline.first <= number < timeline.stop:
                return timeline[number]
        if self._position < 0:
            return None
        ahead = 0
        # The older half of what a sliding window lists will soon be gone.
        endangered = (timeline.first_listed + timeline.stop) / 2 if timeline.sliding else 0
        for number in range(max(self._position, timeline.first), timeline.stop):
            piece = timeline[number]
            if piece.lost:
                continue
            if number not in self._slots:
                enough = ahead >= self._ahead and number >= endangered
                return None if enough else piece
            ahead += 1
            if ahead >= self._ahead and (ahead + 1) * self._largest_bytes > AHEAD_BYTES:
                return None
        return None

    def _forget(self) -> None:
        """Drop what was read longest ago, and what no run will read."""
        kept_bytes = 0
        for number, slot in reversed(list(self._slots.items())):
            if not slot.done or (not slot.read and number >= self._position >= 0):
                continue
            kept_bytes += len(slot.data or b"")
            if kept_bytes > KEPT_BYTES or number < self._timeline.first:
                del self._slots[number]

    def _patiently(self, piece: Piece) -> bytes:
        """The bytes of a piece, through drops of the network and addresses that expire."""
        renewed = False
        while True:
            began = time.monotonic()
            try:
                data = self._fetch(piece.segment)
                self._refusals = 0
                return data
            except SourceError as error:
                with self._changed:
                    if error.outcome == "blocked":
                        if renewed:
                            raise self._refused(error) from None
                        renewed = True
                        self._await_renewal(piece)
                    elif error.retryable and self._follower.answered_at < began and not self._timeline.over:
                        # Nothing else gets through either: the follower decides when that is the end.
                        self._changed.wait(PAUSE_S)
                    else:
                        raise self._timeline.failure or error from None
                if self._closed:
                    raise Cancelled("The reader was closed while it fetched.") from None

    def _await_renewal(self, piece: Piece) -> None:
        """Give the follower time to find the stream's new address."""
        old, until = piece.segment.resource, time.monotonic() + RENEWAL_S
        self._follower.refused()
        asked_at = time.monotonic()
        while piece.segment.resource == old and not self._closed and time.monotonic() < until:
            if self._follower.answered_at > asked_at:
                # The playlist was had again, and names the same address.
                return
            self._changed.wait(WAIT_S)

    def _refused(self, error: SourceError) -> SourceError:
        self._refusals += 1
        if self._refusals < REFUSALS_BEFORE_LOST:
            return error
        message = f"{self._refusals} pieces of the live stream in a row were refused: {error}"
        return SourceLost(message, outcome=error.outcome, retryable=True)

    def _fetch(self, segment: Segment) -> bytes:
        resource, shown = segment.resource, redact(segment.resource.url)
        data = self._client.get_bytes(resource.url, resource.byte_range, cap=MAX_SEGMENT_BYTES)
        if not data:
            raise SourceError(f"{shown} is empty (0 bytes).", outcome="gap")
        data = self._decryptor.decrypt(data, segment.key, segment.sequence, shown)
        form = packed_format(data)
        return data if form is None else to_ts(data, form, segment.span.start_s, shown)
