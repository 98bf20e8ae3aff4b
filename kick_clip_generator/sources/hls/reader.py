"""The reader of HLS recordings: segments, one after the other, as the server cut them."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import logging
import math
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Span, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.probe import MediaInfo
from kick_clip_generator.sources.chunk import MediaSpan, write_chunk
from kick_clip_generator.sources.hls.coverage import Holes
from kick_clip_generator.sources.hls.recovery import Recovery, Renew
from kick_clip_generator.sources.hls.segment_media import SegmentMedia, gap
from kick_clip_generator.sources.hls.segments import SegmentFetcher
from kick_clip_generator.sources.hls.span import SpanFiles
from kick_clip_generator.sources.hls.stream_clock import StreamClocks
from kick_clip_generator.sources.net.carry import Carry
from kick_clip_generator.sources.net.http import HttpClient
from kick_clip_generator.sources.net.traffic import Traffic

log = logging.getLogger(__name__)

FIRST_TRIES = 3


class HlsReader:
    """One rendition of an HLS recording.

    Stream time is that of the playlist. A segment that cannot be had, after all retries, is a hole; so is what a
    segment promises and does not hold.

    Args:
        rendition: only its `url` is read.
        settings: network settings.
        cancel: checked while waiting.
        carry: headers and cookies of the resolver.
        renew: resolves the source again when its addresses have expired.

    Raises:
        SourceError: when the playlist cannot be read.
    """

    def __init__(
        self,
        rendition: Rendition,
        settings: Settings,
        cancel: CancelToken | None = None,
        *,
        carry: Carry | None = None,
        renew: Renew | None = None,
    ) -> None:
        self._client = HttpClient(settings, cancel, carry)
        self._busy = threading.Lock()
        # Where the run stands: the next segment to deliver (-1 without a run), where it began, nothing delivered yet.
        self._next = -1
        self._from_s = 0.0
        self._fresh = True
        self._clocks = StreamClocks()
        self._info: MediaInfo | None = None
        with contextlib.ExitStack() as undo:
            undo.callback(self._client.close)
            recovery = Recovery(self._client, rendition, renew)
            self._playlist = recovery.playlist
            self._segments = self._playlist.segments
            if not self._segments:
                raise SourceError("The recording has no segments yet; try again in a minute.", outcome="not_media")
            self._lost = Holes(segment.span for segment in self._segments if segment.missing)
            self._playlist_breaks_s = self._playlist.breaks_s
            # With the holes that they were made of.
            self._breaks: tuple[tuple[Span, ...], tuple[float, ...]] = ((), self._playlist_breaks_s)
            fetcher = SegmentFetcher(self._client, self._segments, settings.prefetch_segments, cancel)
            undo.callback(fetcher.close)
            self._media = SegmentMedia(fetcher, recovery, self._lost)
            self._spans = SpanFiles(self._playlist, self._media, self._clocks, self._lost)
            undo.pop_all()

    @property
    def container(self) -> str:
        """Of the segments: "mpegts" or "mp4"; the first look fetches one, unless one was read already."""
        if not self._media.container:
            self.info  # noqa: B018 - the look tells both
        return self._media.container

    @property
    def info(self) -> MediaInfo:
        """What the segments hold; the first look fetches one, unless one was read already.

        Raises:
            SourceError: when none of those that were tried can be read.
        """
        if self._info is None:
            with self._busy:
                self._info = self._info or self._look()
        return self._info

    @property
    def breaks_s(self) -> tuple[float, ...]:
        holes, breaks_s = self._breaks
        if holes is not self._lost.spans:
            holes = self._lost.spans
            edges_s = {at_s for hole in holes for at_s in (hole.start_s, hole.end_s)}
            breaks_s = tuple(sorted({*self._playlist_breaks_s, *edges_s} - {0.0, self._playlist.duration_s}))
            self._breaks = holes, breaks_s
        return breaks_s

    @property
    def holes(self) -> tuple[Span, ...]:
        return self._lost.spans

    @property
    def traffic(self) -> Traffic:
        return self._client.traffic

    def start(self, window: Window) -> float:
        with self._busy:
            return self._start(window)

    def fetch(self, window: Window, target: Path) -> int:
        with self._busy:
            return self._deliver(window, target)

    def span(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        with self._busy:
            return self._spans.write(span, folder, later)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        # Not under the lock: it ends the transfers that the lock's holder waits for.
        self._media.close()
        self._client.close()

    def _look(self) -> MediaInfo:
        failure: SourceError | None = None
        there = [segment for segment in self._segments if not self._lost.at(segment.span.start_s)]
        # A recording whose beginning is lost may be whole in the middle.
        for segment in [*self._media.held(), *there[:FIRST_TRIES], *there[len(there) // 2 :][:1], *there[-1:]]:
            try:
                info = self._media.describe(segment)
                return dataclasses.replace(info, duration_s=self._playlist.duration_s)
            except SourceLost:
                raise
            except SourceError as error:
                failure = failure or error
        raise failure or SourceError("All segments of the recording are marked as lost.", outcome="gap")

    def _start(self, window: Window) -> float:
        self._next = -1
        if (hole := self._lost.at(window.own_start_s)) is not None:
            raise gap(hole)
        own = self._playlist.index_at(window.own_start_s)
        # Before the run's own segments: a detour later would drop what was fetched ahead.
        self._set_clock(self._segments[own].clock)
        failure: SourceError | None = None
        first = self._playlist.index_at(window.start_s)
        while (first := max(first, self._earliest(window.own_start_s))) <= own:
            try:
                offset_s = self._begin_at(first)
            except SourceLost:
                raise
            except SourceError as error:
                # A shorter lead-in is better than no window.
                failure = failure or error
                first += 1
                continue
            if offset_s > window.start_s and first > self._earliest(window.own_start_s):
                # Its sound and picture begin a little after the instant that the playlist's sums give.
                with contextlib.suppress(SourceError):
                    offset_s = self._begin_at(first - 1)
            self._from_s = max(window.start_s, self._segments[self._next].span.start_s)
            return offset_s
        raise failure or ValueError(f"expected a window with segments, got {window}")

    def _deliver(self, window: Window, target: Path) -> int:
        if self._next < 0:
            raise SourceError("Reading did not begin with this window, or failed before it.", outcome="failed")
        first, self._next = self._next, -1
        stretch_stop = self._stop_of(self._segments[first].stretch) if first < len(self._segments) else first
        stop = self._playlist.index_before(window.end_s)
        pieces = _UntilFailure(
            self._media.pieces(
                first, min(stop, stretch_stop), ahead=stretch_stop, from_s=self._from_s, with_init=self._fresh
            )
        )
        size = write_chunk(target, pieces)
        if pieces.failure is not None:
            raise pieces.failure
        if stop > stretch_stop:
            raise self._interruption(stretch_stop)
        self._next = max(first, stop)
        self._fresh = self._fresh and not size
        return size

    def _interruption(self, index: int) -> SourceError:
        segment = self._segments[index]
        if segment.missing:
            return gap(segment.span)
        return SourceError(
            f"The recording is interrupted at {segment.span.start_s:.1f} s, where reading must start anew.",
            outcome="discontinuity",
        )

    def _begin_at(self, index: int) -> float:
        """Let the run begin with a segment; returns its `offset_s`."""
        segment = self._segments[index]
        data = self._media.get(index, stop=self._stop_of(segment.stretch))
        self._next = index
        self._fresh = True
        return self._clocks.start_of(segment, self._media.stamp_s(segment, data))

    def _set_clock(self, clock: int) -> None:
        """See to it that the time stamps of a clock can be told."""
        if self._clocks.knows(clock):
            return
        first = self._segments[bisect.bisect_left(self._segments, clock, key=lambda segment: segment.clock)]
        start_s = math.nan
        try:
            start_s = self._media.stamp_s(first, self._media.get(first.index, stop=first.index + 1))
        except SourceLost:
            raise
        except SourceError:
            log.warning("Times are taken from the playlist alone.")
        self._clocks.set(first, start_s)

    def _stop_of(self, stretch: int) -> int:
        """One past the last segment of a stretch."""
        return bisect.bisect_right(self._segments, stretch, key=lambda segment: segment.stretch)

    def _earliest(self, time_s: float) -> int:
        """The first segment from which one run reaches an instant."""
        stretch = self._segments[self._playlist.index_at(time_s)].stretch
        first = bisect.bisect_left(self._segments, stretch, key=lambda segment: segment.stretch)
        return max(first, self._playlist.index_at(self._lost.end_before(time_s)))


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
