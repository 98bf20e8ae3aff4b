"""What the time stamps of a running stream say of when its pieces start, through wraps and restarts."""

from __future__ import annotations

import io
import math

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import probe
from kick_clip_generator.sources.hls.coverage import since
from kick_clip_generator.sources.hls.extent import MIN_HOLE_S, Extent, extent_of
from kick_clip_generator.sources.live.timeline import LiveTimeline, Piece

# MPEG-TS counts time in 33 bits of 90 kHz: it starts over every 26.5 hours.
TS_WRAP_S = 2**33 / 90_000
# Listed durations are rounded, to whole seconds by some: between two pieces, time stamps may be off by this and this
# share of what lies between. Beyond it they began anew.
CLOCK_ERROR_S = 1.0
CLOCK_ERROR_SHARE = 0.25
MAX_CLOCK_ERROR_S = 10.0
MAX_CLOCKS = 100


class LiveClocks:
    """Places pieces by their time stamps, which are exact; the first of each clock that is read is where it was listed.

    Args:
        timeline: learns of drift, and of clocks that begin anew without notice.
        container: "mpegts", whose time stamps wrap, or "mp4".
    """

    def __init__(self, timeline: LiveTimeline, container: str) -> None:
        self._timeline = timeline
        self._wrap_s = TS_WRAP_S if container == "mpegts" else math.inf
        # Per clock: what its stamps are ahead of stream time, and the piece read last with its error.
        self._ahead_s: dict[int, float] = {}
        self._last: dict[int, tuple[float, float]] = {}
        self._container = container
        self._before: tuple[int, Extent | None] = (-1, None)

    def start_of(self, piece: Piece, media: bytes) -> float:
        """Absolute time at which a piece's media start.

        Args:
            piece: where it was listed; a break is put before it when its time stamps do not follow on.
            media: its bytes, init section first.
        """
        stamp_s = _stamp(media)
        if math.isnan(stamp_s):
            return piece.start_s
        with self._timeline.changed:
            error_s = self._error_s(piece, stamp_s)
            if math.isnan(error_s):
                if piece.clock in self._ahead_s:
                    self._timeline.split(piece)
                self._ahead_s[piece.clock] = stamp_s - piece.start_s
                error_s = 0.0
                for oldest in sorted(self._ahead_s)[:-MAX_CLOCKS]:
                    del self._ahead_s[oldest], self._last[oldest]
            self._last[piece.clock] = piece.start_s, error_s
            self._timeline.correct(piece, error_s)
            return piece.start_s + error_s

    def missing_before_s(self, piece: Piece, init: bytes, data: bytes) -> float:
        """Seconds of media that neither a piece nor the one asked about before it holds; 0 when that is not known.

        A cache that holds half of a segment says that this is all of it; only the time stamps tell.
        """
        number, before = self._before
        extent = extent_of(data, init, self._container)
        self._before = piece.number, extent
        if number != piece.number - 1 or piece.breaks or before is None or extent is None:
            return 0.0
        missing_s = since(before.end_s, extent.start_s)
        return missing_s if MIN_HOLE_S < missing_s <= self._timeline[number].span.duration_s else 0.0

    def _error_s(self, piece: Piece, stamp_s: float) -> float:
        """How much later than it was placed a piece starts; NaN when its clock is not known, or began anew."""
        if piece.clock not in self._ahead_s:
            return math.nan
        error_s = stamp_s - self._ahead_s[piece.clock] - piece.start_s
        if math.isfinite(self._wrap_s):
            error_s = (error_s + self._wrap_s / 2) % self._wrap_s - self._wrap_s / 2
        last_s, last_error_s = self._last[piece.clock]
        allowed_s = CLOCK_ERROR_S + CLOCK_ERROR_SHARE * abs(piece.start_s - last_s)
        return error_s if abs(error_s - last_error_s) <= min(allowed_s, MAX_CLOCK_ERROR_S) else math.nan


def _stamp(media: bytes) -> float:
    """The first time stamp, in seconds; NaN when there is none."""
    try:
        return probe(io.BytesIO(media)).start_s
    except MediaError:
        return math.nan
