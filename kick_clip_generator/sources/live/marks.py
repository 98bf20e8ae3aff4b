"""The holes and breaks of a running stream: sorted, merged, and bounded however long it runs."""

from __future__ import annotations

import bisect

from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.coverage import GRACE_S, Holes

# A break every minute for a week.
MAX_BREAKS = 10_000


class LiveMarks:
    """What a run cannot cross.

    Attributes:
        breaks_s: instants, ascending; the edges of holes are among them.
    """

    def __init__(self) -> None:
        self._holes = Holes()
        self.breaks_s: tuple[float, ...] = ()

    @property
    def holes(self) -> tuple[Span, ...]:
        """Spans that are lost, ascending, apart from each other."""
        return self._holes.spans

    def lose(self, span: Span) -> None:
        """Note a hole, and its edges."""
        self._holes.add(span)
        joined = self._holes.at((span.start_s + span.end_s) / 2)
        if joined is None:
            return
        # What lies inside a hole is no edge any more.
        outside = [at_s for at_s in self.breaks_s if not joined.start_s - GRACE_S < at_s < joined.end_s + GRACE_S]
        self.breaks_s = tuple(sorted([*outside, joined.start_s, joined.end_s]))[-MAX_BREAKS:]

    def part(self, at_s: float) -> None:
        """Note a break."""
        near = bisect.bisect_left(self.breaks_s, at_s - GRACE_S)
        if near < len(self.breaks_s) and self.breaks_s[near] <= at_s + GRACE_S:
            return
        if self.hole_at(at_s) is None:
            self.breaks_s = (*self.breaks_s[:near], at_s, *self.breaks_s[near:])[-MAX_BREAKS:]

    def hole_at(self, time_s: float) -> Span | None:
        """The hole that contains an instant."""
        return self._holes.at(time_s)
