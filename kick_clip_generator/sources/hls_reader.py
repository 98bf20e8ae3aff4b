"""The reader of HLS recordings: segments, one after the other, as the server cut them."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import io
import logging
import math
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo, probe
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable, write_chunk
from kick_clip_generator.sources.hls import load_playlist
from kick_clip_generator.sources.http import HttpClient
from kick_clip_generator.sources.playlist import Segment
from kick_clip_generator.sources.progressive import is_page
from kick_clip_generator.sources.safety import redact
from kick_clip_generator.sources.segments import SegmentFetcher

log = logging.getLogger(__name__)

TS_PACKET_BYTES = 188
# MPEG-TS counts time in 33 bits of 90 kHz: it starts over every 26.5 hours.
TS_WRAP_S = 2**33 / 90000
# Sums of rounded durations and timestamps may disagree by this much; beyond it the timestamps mean something else.
MAX_CLOCK_ERROR_S = 1.0
# Where a segment starts is known to about this; a span's edge this near takes the neighbor too.
SPAN_MARGIN_S = 0.5
FIRST_TRIES = 3

_MP4_BOXES = (b"ftyp", b"styp", b"moof", b"moov", b"sidx", b"emsg", b"prft", b"free", b"skip", b"uuid")


class HlsReader:
    """One rendition of an HLS recording.

    Stream time is that of the playlist (sums of durations). Where a run starts inside a stretch of continuous
    timestamps, the first segment of the stretch tells the start to the sample: runs from different places agree.

    Raises:
        SourceError: when the playlist or the first segments cannot be read.
    """

    def __init__(self, rendition: Rendition, settings: Settings, cancel: CancelToken | None = None) -> None:
        self._client = HttpClient(settings, cancel)
        self._busy = threading.Lock()
        # Where the run stands: the next segment to deliver (-1 without a run), its stretch, nothing delivered yet.
        self._next = -1
        self._stretch = 0
        self._fresh = True
        self._stretch_clocks_s: dict[int, float] = {}
        with contextlib.ExitStack() as undo:
            undo.callback(self._client.close)
            self._playlist = load_playlist(self._client, rendition.url)
            self._segments = self._playlist.segments
            self.breaks_s = self._playlist.breaks_s
            self._fetcher = SegmentFetcher(self._client, self._segments, settings.max_workers, cancel)
            undo.callback(self._fetcher.close)
            self.container, self.info = self._look()
            undo.pop_all()

    def start(self, window: Window) -> float:
        with self._busy:
            return self._start(window)

    def fetch(self, window: Window, target: Path) -> int:
        with self._busy:
            return self._deliver(window, target)

    def span(self, span: Span, folder: Path) -> MediaSpan:
        with self._busy:
            return self._collect(span, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # Not under the lock: it ends the transfers that the lock's holder waits for.
        self._fetcher.close()
        self._client.close()

    def _start(self, window: Window) -> float:
        own = self._playlist.index_at(window.own_start_s)
        first = self._playlist.index_at(window.start_s)
        while self._segments[first].stretch != self._segments[own].stretch:
            first += 1
        self._next = -1
        self._stretch = self._segments[own].stretch
        # Before the run's own segments: a detour later would drop what was fetched ahead.
        self._stretch_clock(self._stretch)
        failure: SourceError | None = None
        for index in range(first, own + 1):
            try:
                offset_s = self._begin_at(index)
                if offset_s > window.start_s and index > self._first_of(self._stretch):
                    # Its sound and picture begin a little after the instant that the playlist's sums give.
                    offset_s = self._begin_at(index - 1)
            except SourceError as error:
                # A shorter lead-in is better than no window.
                failure = failure or error
                if self._next < 0:
                    continue
            return offset_s
        raise failure or ValueError(f"expected a window with segments, got {window}")

    def _deliver(self, window: Window, target: Path) -> int:
        if self._next < 0:
            raise SourceError("Reading did not begin with this window, or failed before it.", outcome="failed")
        stop = self._playlist.index_before(window.end_s)
        first, self._next = self._next, -1
        pieces = _UntilFailure(self._pieces(first, stop, self._stretch, with_init=self._fresh))
        size = write_chunk(target, pieces)
        if pieces.failure is not None:
            raise pieces.failure
        self._next = max(first, stop)
        self._fresh = self._fresh and not size
        return size

    def _collect(self, span: Span, folder: Path) -> MediaSpan:
        first = self._playlist.index_at(span.start_s - SPAN_MARGIN_S)
        stop = self._playlist.index_before(span.end_s + SPAN_MARGIN_S)
        touched = self._unbroken(self._segments[first : max(stop, first + 1)], span)
        with writable(folder):
            handle, name = tempfile.mkstemp(prefix="span_", suffix=f".{self._suffix}", dir=folder)
            os.close(handle)
        path = Path(name)
        with removed_on_failure(path):
            self._stretch_clock(touched[0].stretch)
            data = self._get(touched[0], stop=touched[-1].index + 1)
            offset_s = self._start_of(touched[0], data)
            write_chunk(path, self._pieces(touched[0].index, touched[-1].index + 1, touched[0].stretch, with_init=True))
        return MediaSpan(path, offset_s, temporary=True, end_s=touched[-1].span.end_s)

    @property
    def _suffix(self) -> str:
        return "ts" if self.container == "mpegts" else "mp4"

    def _look(self) -> tuple[str, MediaInfo]:
        """Container and streams, from the first segments that can be had."""
        failure: SourceError | None = None
        for segment in [segment for segment in self._segments if not segment.missing][:FIRST_TRIES]:
            shown = redact(segment.resource.url)
            try:
                data = self._fetcher.get(segment.index, stop=segment.index + 1)
                container = container_of(data, shown)
                info = probe(io.BytesIO(self._fetcher.init_of(segment) + data))
                if not (info.has_audio or info.has_video):
                    raise MediaError(f"{shown} has neither picture nor sound.")
                return container, dataclasses.replace(info, duration_s=self._playlist.duration_s)
            except SourceError as error:
                failure = failure or error
            except MediaError:
                message = f"{shown} holds no video or sound that can be read."
                failure = failure or SourceError(message, outcome="not_media")
        raise failure or SourceError("All segments of the recording are marked as lost.", outcome="gap")

    def _get(self, segment: Segment, *, stop: int) -> bytes:
        """A segment's bytes, checked to be what the first one was."""
        data = self._fetcher.get(segment.index, stop=stop)
        shown = redact(segment.resource.url)
        if container_of(data, shown) != self.container:
            raise SourceError(f"{shown} is of another format than the segments before it.", outcome="not_media")
        return data

    def _begin_at(self, index: int) -> float:
        """Let the run begin with a segment; returns its `offset_s`."""
        segment = self._segments[index]
        offset_s = self._start_of(segment, self._get(segment, stop=self._stop_of(self._stretch)))
        self._next = index
        self._fresh = True
        return offset_s

    def _pieces(self, first: int, stop: int, stretch: int, *, with_init: bool) -> Iterator[bytes]:
        for segment in self._segments[first:stop]:
            if segment.stretch != stretch:
                raise SourceError(
                    f"The recording is interrupted at {segment.span.start_s:.1f} s, where reading must start anew.",
                    outcome="discontinuity",
                )
            if with_init and segment.index == first:
                yield self._fetcher.init_of(segment)
            yield self._get(segment, stop=self._stop_of(stretch))

    def _unbroken(self, segments: tuple[Segment, ...], span: Span) -> list[Segment]:
        """Those of the one stretch that holds most of a span: no file can hold two clocks."""
        stretches = {segment.stretch for segment in segments}
        longest = max(
            stretches, key=lambda stretch: sum(s.span.overlap_s(span) for s in segments if s.stretch == stretch)
        )
        return [segment for segment in segments if segment.stretch == longest]

    def _first_of(self, stretch: int) -> int:
        return bisect.bisect_left(self._segments, stretch, key=lambda segment: segment.stretch)

    def _stop_of(self, stretch: int) -> int:
        """One past the last segment of a stretch."""
        return bisect.bisect_right(self._segments, stretch, key=lambda segment: segment.stretch)

    def _start_of(self, segment: Segment, data: bytes) -> float:
        """Absolute time at which a segment's media start, by its timestamps where they can be trusted."""
        expected_s = segment.span.start_s
        since_s = self._clock(segment, data) - self._stretch_clock(segment.stretch)
        if self.container == "mpegts":
            since_s = (since_s - expected_s + TS_WRAP_S / 2) % TS_WRAP_S - TS_WRAP_S / 2 + expected_s
        return since_s if abs(since_s - expected_s) <= MAX_CLOCK_ERROR_S else expected_s

    def _stretch_clock(self, stretch: int) -> float:
        """What the timestamps of a stretch are ahead of stream time; NaN when its first segment cannot be had."""
        if stretch not in self._stretch_clocks_s:
            first = self._segments[self._first_of(stretch)]
            try:
                data = self._get(first, stop=first.index + 1)
                self._stretch_clocks_s[stretch] = self._clock(first, data) - first.span.start_s
            except SourceError as error:
                log.warning("%s Times are taken from the playlist alone.", error)
                self._stretch_clocks_s[stretch] = math.nan
        return self._stretch_clocks_s[stretch]

    def _clock(self, segment: Segment, data: bytes) -> float:
        """The first timestamp of a segment, in seconds; NaN when it has none."""
        try:
            return probe(io.BytesIO(self._fetcher.init_of(segment) + data)).start_s
        except MediaError:
            return math.nan


class _UntilFailure:
    """Pieces up to the first that cannot be had; the reason is kept."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.failure: SourceError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except SourceError as error:
            self.failure = error


def container_of(data: bytes, shown: str) -> str:
    """The container of a segment by its bytes; names and content types of segments are often wrong.

    Raises:
        SourceError: when it is neither MPEG-TS nor fragmented MP4.
    """
    if data[:1] == b"\x47" and data[TS_PACKET_BYTES : TS_PACKET_BYTES + 1] in (b"\x47", b""):
        return "mpegts"
    if data[4:8] in _MP4_BOXES:
        return "mp4"
    if is_page(data):
        raise SourceError(f"{shown} is a web page where a piece of the video was expected.", outcome="not_media")
    raise SourceError(f"{shown} is neither MPEG-TS nor MP4, so it cannot be read.", outcome="not_media")
