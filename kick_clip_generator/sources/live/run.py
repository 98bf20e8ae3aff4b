"""One run over a running stream: from a window's beginning on, as long as nothing interrupts it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Span, Window
from kick_clip_generator.core.timeline import clock
from kick_clip_generator.sources.live.clock import LiveClocks
from kick_clip_generator.sources.live.segments import LiveSegments
from kick_clip_generator.sources.live.timeline import LiveTimeline, Piece

# Sums of decimal durations miss round boundaries by rounding.
TOUCH_S = 1e-3

Read = Callable[[Piece], tuple[bytes, bytes]]


class LiveRun:
    """Where reading stands; used by one thread at a time.

    Args:
        timeline: what there is.
        segments: told where the run is, so that they fetch ahead of it.
        clocks: say when a piece starts.
        read: gives init section and bytes of a piece, or raises and marks it as lost.
        check: raises when waiting is to end.
    """

    def __init__(
        self,
        timeline: LiveTimeline,
        segments: LiveSegments,
        clocks: LiveClocks,
        read: Read,
        check: Callable[[], None],
    ) -> None:
        self._timeline = timeline
        self._segments = segments
        self._clocks = clocks
        self._read = read
        self._check = check
        # Its first piece and the next one to deliver, -1 without a run, and where what was delivered ends.
        self._first = self._next = -1
        self._reached_s = 0.0

    def start(self, window: Window) -> float:
        """Begin at a window, once its first media are there; returns `offset_s`.

        Raises:
            SourceError: outcome "gap" when they lie in a hole, whose end is known then.
        """
        self._first = self._next = -1
        timeline, own_s = self._timeline, window.own_start_s
        with timeline.changed:
            if not timeline.wait(lambda: timeline.end_s > own_s + TOUCH_S, self._check):
                if timeline.failure is not None:
                    raise timeline.failure
                # It has ended: a run that holds nothing.
                self._first = self._next = timeline.stop
                return window.start_s
            self._refuse_hole(window)
            own = timeline.number_at(own_s + TOUCH_S)
            first = timeline.number_at(window.start_s + TOUCH_S)
            first = max([first, *(number for number in range(first, own + 1) if timeline[number].breaks)])
            before = first - 1 if first > timeline.first and not timeline[first].breaks else first
        failure: SourceError | None = None
        for number in range(first, own + 1):
            try:
                offset_s = self._begin_at(number)
                if offset_s > window.start_s and number == first > before:
                    # Its sound and picture begin a little after the instant that the playlist's sums give.
                    with contextlib.suppress(SourceError):
                        offset_s = self._begin_at(before)
                return offset_s
            except SourceError as error:
                failure = error
                if error.outcome != "gap":
                    break
                # A shorter lead-in is better than no window.
        raise failure or ValueError(f"expected a window with media, got {window}")

    def pieces(self, window: Window) -> UntilFailure:
        """What a window adds to the run, with the init section in the run's first; waits until it is there.

        At least one piece, though it lie behind the window: nothing means that the stream has ended. What ends the run
        is kept in `failure`, to be raised when all before it is written.

        Raises:
            SourceError: when there is no run.
        """
        if self._next < 0:
            raise SourceError("Reading did not begin with this window, or failed before it.", outcome="failed")
        return UntilFailure(self._pieces(window.end_s - TOUCH_S), self._end)

    def _end(self) -> None:
        self._first = self._next = -1

    def _refuse_hole(self, window: Window) -> None:
        """Wait until it is known how far the hole at a window's own start reaches, then say so."""
        timeline, own_s = self._timeline, window.own_start_s

        def seen() -> bool:
            hole = timeline.marks.hole_at(own_s)
            return hole is None or hole.end_s >= window.end_s or hole.end_s < timeline.end_s - TOUCH_S

        timeline.wait(seen, self._check)
        oldest_s = timeline[timeline.first].start_s
        if own_s < oldest_s - TOUCH_S:
            timeline.marks.lose(Span(own_s, oldest_s))
        hole = timeline.marks.hole_at(own_s)
        if hole is not None:
            raise lost(hole)

    def _begin_at(self, number: int) -> float:
        with self._timeline.changed:
            piece = self._timeline[number]
        if piece.lost:
            raise lost(piece.span)
        self._segments.follow(number)
        init, data = self._read(piece)
        offset_s = self._clocks.start_of(piece, init + data)
        self._first = self._next = number
        return offset_s

    def _pieces(self, end_s: float) -> Iterator[bytes]:
        some = False
        while (piece := self._await(end_s if some else math.inf)) is not None:
            is_first = piece.number == self._first
            if not is_first and piece.breaks and self._reached_s < min(end_s, piece.start_s - TOUCH_S):
                # What the window still lacks lies in a hole before the piece.
                raise lost(Span(self._reached_s, piece.start_s))
            if some and piece.start_s >= end_s:
                return
            if piece.lost:
                raise lost(piece.span)
            if not is_first:
                self._refuse_break(piece)
            init, data = self._read(piece)
            missing_s = self._clocks.missing_before_s(piece, init, data)
            if not is_first:
                self._clocks.start_of(piece, init + data)
                # Only now is it known whether its media follow on.
                if missing_s:
                    self._timeline.lose_before(piece, missing_s)
                self._refuse_break(piece)
            self._next += 1
            self._reached_s = piece.end_s
            self._segments.follow(self._next)
            if is_first and init:
                yield init
            yield data
            some = True

    def _refuse_break(self, piece: Piece) -> None:
        if piece.breaks:
            raise SourceError(
                f"The live stream is interrupted at {clock(piece.start_s)}, where reading must start anew.",
                outcome="discontinuity",
            )

    def _await(self, end_s: float) -> Piece | None:
        """The next piece; None when the media up to `end_s` are there without it, or the stream has ended before."""
        timeline = self._timeline
        with timeline.changed:
            if self._next < timeline.first:
                raise lost(Span(self._reached_s, max(self._reached_s, timeline[timeline.first].start_s)))
            return timeline.await_piece(self._next, end_s, self._check)


class UntilFailure:
    """Pieces up to the first that cannot be had; the reason is kept.

    Args:
        pieces: what to go through.
        end: called on a failure.
    """

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end = end
        self.failure: SourceError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._pieces
        except SourceError as error:
            self._end()
            self.failure = error
        except BaseException:
            self._end()
            raise


def lost(span: Span) -> SourceError:
    """That a span cannot be had."""
    return SourceError(
        f"The live stream from {clock(span.start_s)} to {clock(span.end_s)} cannot be had: it was an ad, was lost, or "
        f"the server does not keep it any more.",
        outcome="gap",
    )
