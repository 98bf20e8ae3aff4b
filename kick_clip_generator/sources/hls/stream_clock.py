"""From the time stamps of a recording's segments to stream time."""

from __future__ import annotations

import io
import math

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.media.probe import probe
from kick_clip_generator.sources.hls.coverage import since
from kick_clip_generator.sources.hls.playlist import Segment

# Sums of rounded durations and time stamps may disagree by this much; beyond it the time stamps mean something else.
MAX_CLOCK_ERROR_S = 1.0


class StreamClocks:
    """What the time stamps of each clock of a playlist are ahead of stream time.

    Stream time is that of the playlist: sums of durations. They are rounded, so where the first segment of a clock has
    told its start, the others count from there, to the sample: runs from different places agree.
    """

    def __init__(self) -> None:
        self._ahead_s: dict[int, float] = {}

    def knows(self, clock: int) -> bool:
        return clock in self._ahead_s

    def set(self, first: Segment, start_s: float) -> None:
        """Note where the first segment of a clock starts; NaN: it cannot be had, so the sums alone tell the time."""
        self._ahead_s[first.clock] = start_s - first.span.start_s

    def start_of(self, segment: Segment, start_s: float) -> float:
        """The stream time at which a segment's media start.

        Args:
            segment: which one.
            start_s: its first time stamp.
        """
        expected_s = segment.span.start_s
        error_s = since(self._ahead_s.get(segment.clock, math.nan) + expected_s, start_s)
        return expected_s + error_s if abs(error_s) <= MAX_CLOCK_ERROR_S else expected_s


def first_stamp_s(data: bytes) -> float:
    """The first time stamp of media, in seconds; NaN when they have none."""
    try:
        return probe(io.BytesIO(data)).start_s
    except MediaError:
        return math.nan
