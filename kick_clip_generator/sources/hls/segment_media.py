"""The media of a recording's segments: had or known to be lost, and checked to be all that was promised."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.records import Span
from kick_clip_generator.media.probe import MediaInfo, probe
from kick_clip_generator.sources.hls.container import container_of
from kick_clip_generator.sources.hls.coverage import Holes, is_suspect, lost_parts
from kick_clip_generator.sources.hls.extent import Extent, extent_of
from kick_clip_generator.sources.hls.playlist import Segment
from kick_clip_generator.sources.hls.recovery import Recovery
from kick_clip_generator.sources.hls.segments import SegmentFetcher
from kick_clip_generator.sources.hls.stream_clock import first_stamp_s
from kick_clip_generator.sources.safety import redact

log = logging.getLogger(__name__)


class SegmentMedia:
    """Segments by index, with what their failures mean; used by one thread.

    Args:
        fetcher: fetches them; closed with this.
        recovery: judges failures.
        lost: where holes are noted.

    Attributes:
        container: of the first segment that was had; all must be of the same. Empty before that.
    """

    def __init__(self, fetcher: SegmentFetcher, recovery: Recovery, lost: Holes) -> None:
        self.container = ""
        self._fetcher = fetcher
        self._recovery = recovery
        self._lost = lost
        # Of the last segment that was delivered, for the one behind it.
        self._last: tuple[int, Extent | None] = (-1, None)

    def close(self) -> None:
        self._fetcher.close()

    def held(self) -> list[Segment]:
        """Those in memory, most recently read first."""
        return [self._segments[index] for index in self._fetcher.held()]

    def keep(self, wanted: Collection[int], folder: Path) -> None:
        """As `SegmentFetcher.keep`."""
        self._fetcher.keep(wanted, folder)

    def get(self, index: int, *, stop: int) -> bytes:
        """A segment's bytes, without its init section; those up to `stop` are fetched ahead.

        Raises:
            SourceError: it is lost (outcome "gap"), which is noted.
            SourceLost: nothing more can be had now.
        """
        segment = self._segments[index]
        if self._lost.cover(segment.span):
            raise gap(segment.span)
        while True:
            try:
                data = self._checked(index, stop)
                self._fetcher.init_of(self._segments[index])
            except SourceError as error:
                if self._recovery.failed(error, lambda: self._is_there_behind(index)):
                    self._fetcher.replace(self._segments)
                    continue
                log.warning("%.1f s of the stream are lost: %s", segment.span.duration_s, error)
                self._lost.add(segment.span)
                raise gap(segment.span, f": {error}") from None
            self._recovery.succeeded()
            return data

    def stamp_s(self, segment: Segment, data: bytes) -> float:
        """The first time stamp of a segment that was had, in seconds; NaN when it has none."""
        return first_stamp_s(self._fetcher.init_of(segment) + data)

    def extent(self, segment: Segment, data: bytes) -> Extent | None:
        """The extent of a segment that was had; None when it does not tell."""
        return extent_of(data, self._fetcher.init_of(segment), self.container)

    def describe(self, segment: Segment) -> MediaInfo:
        """What a segment holds.

        Raises:
            SourceError: when it cannot be had, or holds no media.
        """
        data = self.get(segment.index, stop=segment.index + 1)
        try:
            return probe(io.BytesIO(self._fetcher.init_of(segment) + data))
        except MediaError:
            message = f"{redact(segment.resource.url)} holds no video or sound that can be read."
            raise SourceError(message, outcome="not_media") from None

    def pieces(self, first: int, stop: int, *, ahead: int, from_s: float, with_init: bool) -> Iterator[bytes]:
        """The bytes of consecutive segments of one clock.

        Args:
            first, stop: which ones.
            ahead: segments before this one may be fetched ahead.
            from_s: holes before this instant are known to whoever reads.
            with_init: whether the init section comes first.

        Raises:
            SourceError: behind the last piece before a segment that is lost, or behind one that holds less than it
                promises; noted as a hole, outcome "gap".
        """
        for index in range(first, stop):
            segment = self._segments[index]
            data = self.get(index, stop=ahead)
            if with_init and index == first:
                yield self._fetcher.init_of(segment)
            data, parts = self._complete(segment, data, ahead)
            yield data
            if parts := [part for part in parts if part.end_s > from_s + 1e-6]:
                raise gap(parts[0], f": {redact(segment.resource.url)} holds less than its playlist promises.")

    @property
    def _segments(self) -> tuple[Segment, ...]:
        return self._recovery.playlist.segments

    def _checked(self, index: int, stop: int) -> bytes:
        data = self._fetcher.get(index, stop=stop)
        shown = redact(self._segments[index].resource.url)
        container = container_of(data, shown)
        self.container = self.container or container
        if container != self.container:
            raise SourceError(f"{shown} is of another format than the segments before it.", outcome="not_media")
        return data

    def _is_there_behind(self, index: int) -> bool | None:
        """Whether the next segment can be had now that is not known to be lost; None when there is none."""
        behind = self._segments[index + 1 :]
        found = next((segment.index for segment in behind if not self._lost.cover(segment.span)), None)
        if found is None:
            return None
        try:
            # It may have been fetched ahead, just before the addresses expired.
            self._fetcher.again(found)
        except SourceError:
            return False
        return True

    def _complete(self, segment: Segment, data: bytes, ahead: int) -> tuple[bytes, list[Span]]:
        """The bytes of a segment, and what they do not hold of it; fetched once more when they hold too little."""
        index = segment.index
        last, before = self._last
        extent = self.extent(segment, data)
        self._last = (index, extent)
        if known := self._lost.touching(segment.span):
            return data, list(known)
        if extent is None or not is_suspect(segment, extent):
            return data, []
        if last != index - 1 or self._segments[index - 1].clock != segment.clock:
            before = None
        behind = self._behind(index, ahead)
        parts = lost_parts(segment, extent, before, behind)
        if not parts:
            return data, []
        try:
            again = self._fetcher.again(index)
            second = self.extent(segment, again)
        except SourceError as error:
            log.info("A second try did not help: %s", error)
            second = None
        if second is not None:
            fewer = lost_parts(segment, second, before, behind) if is_suspect(segment, second) else []
            if sum(part.duration_s for part in fewer) < sum(part.duration_s for part in parts):
                data, parts = again, fewer
                self._last = (index, second)
        for part in parts:
            log.warning(
                "%.1f s of the stream are lost at %.1f s: %s holds less than its playlist promises.",
                part.duration_s,
                part.start_s,
                redact(segment.resource.url),
            )
            self._lost.add(part)
        return data, parts

    def _behind(self, index: int, ahead: int) -> Extent | None:
        """The extent of the segment behind another one, where it counts on the same clock and can be had."""
        if index + 1 >= min(ahead, len(self._segments)):
            return None
        segment = self._segments[index + 1]
        if segment.clock != self._segments[index].clock:
            return None
        try:
            return self.extent(segment, self._fetcher.get(index + 1, stop=ahead))
        except SourceError:
            return None


def gap(lost: Span, reason: str = ".") -> SourceError:
    return SourceError(f"The stream is lost from {lost.start_s:.1f} s to {lost.end_s:.1f} s{reason}", outcome="gap")
