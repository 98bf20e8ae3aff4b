"""Whether segments hold what their playlist promises, and which spans of a recording are known to be lost.

A server may cut a segment short and announce the short length; nothing in the transfer tells. What is said by the time
stamps is compared with EXTINF, and where that says more, with the segments before and behind: some packagers write the
same round length for all segments, and then nothing is missing where one goes on where the other ended.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable

from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.extent import MIN_HOLE_S, TS_CLOCK_HZ, TS_WRAP, Extent
from kick_clip_generator.sources.hls.playlist import Segment

# Sums of decimal durations miss each other by rounding.
GRACE_S = 1e-5

TS_WRAP_S = TS_WRAP / TS_CLOCK_HZ


class Holes:
    """Spans that are lost, in order, joined where they touch; may be read by one thread while another adds.

    Args:
        spans: those known from the start, in order.
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        joined: list[Span] = []
        for span in spans:
            if joined and span.start_s <= joined[-1].end_s + GRACE_S:
                joined[-1] = Span(joined[-1].start_s, max(joined[-1].end_s, span.end_s))
            elif span.duration_s:
                joined.append(span)
        self.spans = tuple(joined)

    def add(self, lost: Span) -> None:
        if not lost.duration_s:
            return
        first, stop = self._range(lost.start_s - GRACE_S, lost.end_s + GRACE_S)
        touching = [*self.spans[first:stop], lost]
        whole = Span(min(span.start_s for span in touching), max(span.end_s for span in touching))
        self.spans = (*self.spans[:first], whole, *self.spans[stop:])

    def touching(self, span: Span) -> tuple[Span, ...]:
        """The holes that share media with a span."""
        return self.spans[slice(*self._range(span.start_s + GRACE_S, span.end_s - GRACE_S))]

    def cover(self, span: Span) -> bool:
        """Whether all of a span is lost."""
        return any(hole.overlap_s(span) >= span.duration_s - GRACE_S for hole in self.touching(span))

    def at(self, time_s: float) -> Span | None:
        """The hole that an instant lies in."""
        found = self.spans[slice(*self._range(time_s + GRACE_S, time_s + GRACE_S))]
        return found[0] if found else None

    def end_before(self, time_s: float) -> float:
        """Where the last hole before an instant ends; 0 when there is none."""
        place = bisect.bisect_right(self.spans, time_s + GRACE_S, key=lambda span: span.end_s)
        return self.spans[place - 1].end_s if place else 0.0

    def _range(self, start_s: float, end_s: float) -> tuple[int, int]:
        """First and one past the last of the holes that end after one instant and begin by another."""
        return (
            bisect.bisect_right(self.spans, start_s, key=lambda span: span.end_s),
            bisect.bisect_right(self.spans, end_s, key=lambda span: span.start_s),
        )


def is_suspect(segment: Segment, extent: Extent) -> bool:
    """Whether a segment holds less than promised, as far as it tells alone."""
    return bool(extent.holes) or segment.span.duration_s - (extent.end_s - extent.start_s) > MIN_HOLE_S


def lost_parts(segment: Segment, extent: Extent, before: Extent | None, behind: Extent | None) -> list[Span]:
    """The parts of a segment that its media do not cover, in stream time.

    Args:
        segment: which one.
        extent: what it holds.
        before, behind: what its neighbors hold; None where there is none on the same clock, or nobody knows.
    """
    span = segment.span
    parts = [
        Span(*(min(span.start_s + at_s - extent.start_s, span.end_s) for at_s in (hole.start_s, hole.end_s)))
        for hole in extent.holes
    ]
    short_s = span.duration_s - (extent.end_s - extent.start_s)
    late_s = 0.0 if before is None else since(before.end_s, extent.start_s)
    early_s = short_s if behind is None else since(extent.end_s, behind.start_s)
    if short_s > MIN_HOLE_S:
        if late_s > MIN_HOLE_S:
            parts.append(Span(span.start_s, span.start_s + short_s))
        elif early_s > MIN_HOLE_S:
            parts.append(Span(span.end_s - short_s, span.end_s))
    return sorted(part for part in parts if part.duration_s)


def since(from_s: float, to_s: float) -> float:
    """Seconds between two time stamps, over the wrap of MPEG-TS (other clocks do not run so long)."""
    return math.remainder(to_s - from_s, TS_WRAP_S)
