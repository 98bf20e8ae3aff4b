"""The reader of running streams: windows as they come true."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import math
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from kick_clip_generator.core.errors import Cancelled, MediaError, SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.media.probe import MediaInfo, probe
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable, write_chunk
from kick_clip_generator.sources.hls.container import container_of
from kick_clip_generator.sources.live.clock import LiveClocks
from kick_clip_generator.sources.live.follow import LiveFollower, Renew
from kick_clip_generator.sources.live.run import LiveRun, lost
from kick_clip_generator.sources.live.segments import LiveSegments
from kick_clip_generator.sources.live.timeline import LiveTimeline, Piece
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient, Traffic
from kick_clip_generator.sources.safety import redact

log = logging.getLogger(__name__)

# Sums of decimal durations miss round boundaries by rounding.
TOUCH_S = 1e-3
# Where a segment starts is known to about this; a span's edge this near takes the neighbor too.
SPAN_MARGIN_S = 0.5
FIRST_TRIES = 5


class LiveReader:
    """One rendition of a stream that is still running.

    Stream time 0 is the first media that were there when it was opened, or the oldest that the server kept
    (`live_from`); from there on it goes on as the stream does. A window is there when its media are. Ads and what was
    lost are holes. When the stream has ended, windows behind its end hold nothing.

    Args:
        source: what it is called in messages.
        rendition: whose media playlist is followed.
        settings: network, `live_from`, `live_stall`.
        cancel: ends every wait.
        carry: headers and cookies for the requests.
        renew: finds the rendition again when its address is refused or it stands still; None when there is none.

    Raises:
        SourceError: when the playlist or the first media cannot be read.
    """

    def __init__(
        self,
        source: Source,
        rendition: Rendition,
        settings: Settings,
        cancel: CancelToken | None = None,
        *,
        carry: Carry | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._title = source.title
        self._cancel = cancel
        self._closed = False
        self._busy = threading.Lock()
        self._client = HttpClient(settings, cancel, carry)
        self._timeline = LiveTimeline(from_start=settings.live_from == "start")
        follower = LiveFollower(self._client, rendition, settings, self._timeline, renew=renew, cancel=cancel)
        self._follower = follower
        self._segments = LiveSegments(self._client, self._timeline, follower, settings, self._check)
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            follower.open()
            self.container, self.info = self._look()
            self._clocks = LiveClocks(self._timeline, self.container)
            self._run = LiveRun(self._timeline, self._segments, self._clocks, self._read, self._check)
            undo.pop_all()

    @property
    def breaks_s(self) -> tuple[float, ...]:
        return self._timeline.marks.breaks_s

    @property
    def holes(self) -> tuple[Span, ...]:
        return self._timeline.marks.holes

    @property
    def traffic(self) -> Traffic:
        return self._client.traffic

    def start(self, window: Window) -> float:
        with self._busy:
            return self._run.start(window)

    def fetch(self, window: Window, target: Path) -> int:
        with self._busy:
            pieces = self._run.pieces(window)
            size = write_chunk(target, pieces)
            if pieces.failure is not None:
                raise pieces.failure
            return size

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        # Not under the lock: a window may take its whole length to come true.
        first, stop = self._touched(span)
        pieces = [self._timeline[number] for number in range(first, stop)]
        with writable(folder):
            handle, name = tempfile.mkstemp(
                prefix="span_", suffix=".ts" if self.container == "mpegts" else ".mp4", dir=folder
            )
            os.close(handle)
        path = Path(name)
        with removed_on_failure(path):
            init, data = self._read(pieces[0])
            offset_s = self._clocks.start_of(pieces[0], init + data)
            write_chunk(path, self._whole(init, pieces))
        return MediaSpan(path, offset_s, temporary=True, end_s=pieces[-1].end_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # Not under the lock: it ends the waits of the lock's holder.
        self._closed = True
        self._follower.close()
        self._segments.close()
        self._client.close()

    def _check(self) -> None:
        if self._cancel is not None:
            self._cancel.check()
        if self._closed:
            raise Cancelled("The reader was closed while it waited for the live stream.")

    def _look(self) -> tuple[str, MediaInfo]:
        """Container and streams, from the first pieces that can be had."""
        failure: SourceError | None = None
        for number in range(FIRST_TRIES):
            piece = self._timeline.await_piece(number, math.inf, self._check)
            if piece is None:
                raise failure or SourceError(
                    f"{self._title} has ended; paste the link of its recording.", outcome="ended"
                )
            if piece.lost:
                continue
            shown = redact(piece.segment.resource.url)
            try:
                data = self._segments.get(piece)
                container = container_of(data, shown)
                info = probe(io.BytesIO(self._segments.init_of(piece.segment) + data))
                return container, dataclasses.replace(info, duration_s=math.nan)
            except SourceError as error:
                failure = failure or error
            except MediaError:
                message = f"{shown} holds no video or sound that can be read."
                failure = failure or SourceError(message, outcome="not_media")
        raise failure or SourceError("The live stream shows nothing but advertising.", outcome="gap")

    def _touched(self, span: Span) -> tuple[int, int]:
        """First and stop of the unbroken pieces that hold most of a span."""
        timeline = self._timeline
        with timeline.changed:
            timeline.wait(lambda: timeline.end_s >= span.end_s + SPAN_MARGIN_S, self._check)
            low = timeline.number_at(span.start_s - SPAN_MARGIN_S)
            best, longest_s, begin = (low, low), 0.0, low
            for number in range(low, timeline.stop):
                piece = timeline[number]
                if piece.start_s >= span.end_s + SPAN_MARGIN_S:
                    break
                begin = number if piece.breaks else begin
                shared_s = min(piece.end_s, span.end_s) - max(timeline[begin].start_s, span.start_s)
                if not piece.lost and shared_s >= longest_s:
                    best, longest_s = (begin, number + 1), shared_s
        if best[0] == best[1]:
            raise lost(span)
        return best

    def _whole(self, init: bytes, pieces: list[Piece]) -> Iterator[bytes]:
        yield init
        for piece in pieces:
            yield self._read(piece)[1]

    def _read(self, piece: Piece) -> tuple[bytes, bytes]:
        """Init section and bytes of a piece; it is a hole from now on when they cannot be had.

        Raises:
            SourceError: outcome "gap"; `SourceLost` as it is.
        """
        try:
            data = self._segments.get(piece)
            if container_of(data, redact(piece.segment.resource.url)) != self.container:
                raise SourceError("The live stream came back in another format.", outcome="not_media")
            return self._segments.init_of(piece.segment), data
        except SourceError as error:
            if error is self._timeline.failure or isinstance(error, SourceLost):
                raise
            log.warning("%s is lost at %s. %s", self._title, clock(piece.start_s), error)
            self._timeline.lose(piece)
            raise lost(piece.span) from None
