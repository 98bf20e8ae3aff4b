"""The media of a few seconds of a recording, in a file of their own, for a clip."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.chunk import MediaSpan, removed_on_failure, writable, write_chunk
from kick_clip_generator.sources.hls.coverage import Holes
from kick_clip_generator.sources.hls.playlist import MediaPlaylist, Segment
from kick_clip_generator.sources.hls.segment_media import SegmentMedia, gap
from kick_clip_generator.sources.hls.stream_clock import StreamClocks

# Sound or picture that begins so much inside a clip, or ends so much before it does, is looked for in the neighbor.
EDGE_S = 0.03


class SpanFiles:
    """Writes spans of a recording; only the segments that hold their media are fetched.

    Args:
        playlist: of the recording; its segments may get new addresses, no new places.
        media: has the segments.
        clocks: tell the time of a segment; where they do not know it yet, the playlist does.
        lost: the holes, which grow while media are had.
    """

    def __init__(self, playlist: MediaPlaylist, media: SegmentMedia, clocks: StreamClocks, lost: Holes) -> None:
        self._playlist = playlist
        self._segments = playlist.segments
        self._media = media
        self._clocks = clocks
        self._lost = lost

    def write(self, span: Span, folder: Path, later: Sequence[Span] = ()) -> MediaSpan:
        """As `Reader.span`: where a break or a hole cuts the span, the part of it that is longest.

        Raises:
            SourceError: when nothing of it can be had.
        """
        # Its own too: a hole may send us back to its beginning.
        self._media.keep({number for one in (span, *later) for number in self._touched(one)}, folder)
        while True:
            known = self._lost.spans
            try:
                media = self._write(self._unbroken(span), span, folder)
            except SourceLost:
                raise
            except SourceError:
                if self._lost.spans == known:
                    raise
                # A hole turned up; what is whole without it is found anew, and was fetched.
                continue
            if self._lost.spans == known:
                return media
            media.path.unlink(missing_ok=True)

    def _touched(self, span: Span) -> range:
        """The segments of a span, and those beside it, which hold its edges where times in the playlist are rough."""
        first = self._playlist.index_at(span.start_s)
        return range(first - 1, max(first, self._playlist.index_before(span.end_s)) + 1)

    def _unbroken(self, span: Span) -> list[Segment]:
        """The run of segments without a break or hole between them that holds most of a span."""
        first, stop = self._playlist.index_at(span.start_s), self._playlist.index_before(span.end_s)
        runs: list[list[Segment]] = []
        previous: Segment | None = None
        for segment in self._segments[first : max(stop, first + 1)]:
            if self._lost.cover(segment.span):
                previous = None
                continue
            if previous is None or previous.stretch != segment.stretch or self._lost.touching(previous.span):
                runs.append([])
            runs[-1].append(segment)
            previous = segment
        if not runs:
            raise gap(span)
        return max(runs, key=lambda run: sum(segment.span.overlap_s(span) for segment in run))

    def _write(self, run: list[Segment], span: Span, folder: Path) -> MediaSpan:
        first, stop = run[0].index, run[-1].index + 1
        offset_s, begins_s, _ = self._place(run[0], stop)
        if (offset_s > span.start_s + 1e-6 or begins_s > span.start_s + EDGE_S) and self._follows(first):
            first -= 1
            offset_s, _, _ = self._place(self._segments[first], stop)
        suffix = ".ts" if self._media.container == "mpegts" else ".mp4"
        with writable(folder):
            handle, name = tempfile.mkstemp(prefix="span_", suffix=suffix, dir=folder)
            os.close(handle)
        path = Path(name)
        with removed_on_failure(path):
            write_chunk(path, self._pieces(first, stop, span))
        last = run[-1].span
        return MediaSpan(
            path,
            offset_s,
            temporary=True,
            end_s=min([last.end_s, *(hole.start_s for hole in self._lost.touching(last))]),
        )

    def _pieces(self, first: int, stop: int, span: Span) -> Iterator[bytes]:
        yield from self._media.pieces(first, stop, ahead=stop, from_s=math.inf, with_init=True)
        last = self._segments[stop - 1]
        _, _, ends_s = self._place(last, stop)
        if ends_s < span.end_s - EDGE_S and last.span.end_s >= span.end_s - 1e-6 and self._follows(stop):
            yield from self._media.pieces(stop, stop + 1, ahead=stop + 1, from_s=math.inf, with_init=False)

    def _follows(self, index: int) -> bool:
        """Whether a segment is there and goes on, without a hole, from the one before it."""
        if not 0 < index < len(self._segments):
            return False
        before, behind = self._segments[index - 1], self._segments[index]
        return before.stretch == behind.stretch and not self._lost.touching(
            Span(before.span.start_s, behind.span.end_s)
        )

    def _place(self, segment: Segment, stop: int) -> tuple[float, float, float]:
        """Where a segment's media start, and between which instants all of its streams are there, in stream time."""
        data = self._media.get(segment.index, stop=stop)
        offset_s = self._clocks.start_of(segment, self._media.stamp_s(segment, data))
        extent = self._media.extent(segment, data)
        if extent is None:
            return offset_s, offset_s, segment.span.end_s
        return offset_s, offset_s + extent.all_from_s - extent.start_s, offset_s + extent.all_to_s - extent.start_s
