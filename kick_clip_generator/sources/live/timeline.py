"""Where the segments of a running stream lie in stream time, which only ever goes on.

A live playlist slides, stops, starts over and jumps; its time stamps wrap and begin anew. Stream time is the sum of the
durations that were listed, plus what the time of day (EXT-X-PROGRAM-DATE-TIME) or the numbering says was missed in
between; inside one unbroken stretch the time stamps correct it, for sums of rounded durations drift.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.playlist import MediaPlaylist, Segment
from kick_clip_generator.sources.live.listing import (
    LONGEST_SKIP_S,
    is_same,
    near_the_edge,
    not_before,
    seconds_missed,
    usual_s,
)
from kick_clip_generator.sources.live.marks import LiveMarks

# What the server does not list any more is forgotten after this much more of the stream.
KEEP_S = 600.0
# Without dates, so many different ends of a list behind ours are no slow mirror but a stream that began anew.
SLOW_MIRROR_LISTS = 6
WAIT_S = 0.2


@dataclass(slots=True, eq=False)
class Piece:
    """A segment in stream time.

    Attributes:
        number: consecutive over the life of the reader.
        start_s, end_s: as placed.
        segment: as it was listed last; its address may change.
        clock: number of the unbroken run of time stamps it belongs to.
        breaks: no run may cross into it from the piece before.
        lost: an ad, a gap, or it could not be had.
        shift_s: how much the time stamps of its clock had corrected the sums when it was placed.
    """

    number: int
    start_s: float
    end_s: float
    segment: Segment
    clock: int
    breaks: bool
    lost: bool
    shift_s: float

    @property
    def span(self) -> Span:
        return Span(self.start_s, self.end_s)


class LiveTimeline:
    """All pieces that are known, in order; used by the thread that follows the playlist and by those that read.

    Args:
        from_start: begin with the oldest segment that is listed, not with the newest.

    Attributes:
        changed: guards everything here; notified whenever something changes.
        ended: no more pieces will come.
        failure: why no more pieces will come, unless the stream simply ended.
        first_listed: number of the oldest piece that the server still lists.
        sliding: the server forgets old segments.
        marks: holes and breaks.
    """

    def __init__(self, *, from_start: bool) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.ended = False
        self.failure: SourceError | None = None
        self.first_listed = 0
        self.sliding = False
        self.marks = LiveMarks()
        self._from_start = from_start
        self._pieces: list[Piece] = []
        self._clock = 0
        # Per clock: what its time stamps have corrected.
        self._shifts_s: dict[int, float] = {}
        self._behind: set[int] = set()
        self._grown_at = time.monotonic()

    @property
    def over(self) -> bool:
        return self.ended or self.failure is not None

    @property
    def end_s(self) -> float:
        """Where the newest piece ends; 0 before the first."""
        return self._pieces[-1].end_s if self._pieces else 0.0

    @property
    def stop(self) -> int:
        """One past the newest piece's number."""
        return self._pieces[-1].number + 1 if self._pieces else 0

    @property
    def first(self) -> int:
        """The number of the oldest piece that is remembered."""
        return self._pieces[0].number if self._pieces else 0

    def __getitem__(self, number: int) -> Piece:
        return self._pieces[number - self.first]

    def number_at(self, time_s: float) -> int:
        """The last piece that starts at or before an instant; the first for instants before all."""
        low, high = 0, len(self._pieces)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._pieces[middle].start_s <= time_s + 1e-6 else (low, middle)
        return self.first + max(0, low - 1)

    def wait(self, ready: Callable[[], bool], check: Callable[[], None]) -> bool:
        """Wait, with the lock held, until something is so or nothing more will come; returns whether it is so."""
        while not ready():
            if self.over:
                return False
            check()
            self.changed.wait(WAIT_S)
        return True

    def await_piece(self, number: int, end_s: float, check: Callable[[], None]) -> Piece | None:
        """A piece, once it is there; None when the media up to `end_s` are there without it, or no more will come.

        Raises:
            SourceError: when no more will come, and the stream did not simply end.
        """
        with self.changed:
            if not self.wait(lambda: self.stop > number or self.end_s >= end_s, check) and self.failure is not None:
                raise self.failure
            return self[number] if number < self.stop else None

    def finish(self, failure: SourceError | None = None) -> None:
        """No more pieces will come."""
        with self.changed:
            self.ended = self.ended or failure is None
            self.failure = failure
            self.changed.notify_all()

    def extend(self, playlist: MediaPlaylist, *, moved: bool = False) -> bool:
        """Add what a playlist lists beyond what is known; returns whether that was anything.

        Args:
            playlist: as it was served just now.
            moved: it comes from another address than the one before.
        """
        with self.changed:
            news, skipped = self._news(playlist, moved)
            for segment in news:
                listed = segment.index and playlist.segments[segment.index - 1]
                anew = not listed or listed.clock != segment.clock
                self._place(segment, skipped * usual_s(playlist) if segment is news[0] else 0.0, anew)
            if news:
                self._grown_at = time.monotonic()
                self._behind.clear()
            if self._pieces:
                self._note_listed(playlist)
                self._forget()
            if playlist.ended:
                self.ended = True
            self.changed.notify_all()
            return bool(news)

    def lose(self, piece: Piece) -> None:
        """A piece cannot be had."""
        with self.changed:
            piece.lost = piece.breaks = True
            self.marks.lose(piece.span)
            if piece.number + 1 < self.stop:
                self[piece.number + 1].breaks = True
            self.changed.notify_all()

    def lose_before(self, piece: Piece, missing_s: float) -> None:
        """The end of the piece before was not in it, or this one's beginning is not."""
        with self.changed:
            piece.breaks = True
            self.marks.lose(Span(piece.start_s - missing_s, piece.start_s))

    def split(self, piece: Piece) -> None:
        """The time stamps begin anew at a piece, though the playlist did not say so."""
        with self.changed:
            self._clock += 1
            piece.breaks = True
            self.marks.part(piece.start_s)
            old = piece.clock
            for other in self._pieces[piece.number - self.first :]:
                if other.clock == old:
                    other.clock, other.shift_s = self._clock, 0.0
            self.changed.notify_all()

    def correct(self, piece: Piece, error_s: float) -> None:
        """The time stamps of a piece say that it starts so much later: those that are yet to come will be placed so."""
        with self.changed:
            self._shifts_s[piece.clock] = piece.shift_s + error_s

    def _news(self, playlist: MediaPlaylist, moved: bool) -> tuple[tuple[Segment, ...], int]:
        """The segments that are not known yet, and how many were skipped before them."""
        segments = playlist.segments
        if not segments:
            return (), 0
        if not self._pieces:
            first = 0 if self._from_start else near_the_edge(playlist)
            # Stream time begins with media: an ad before the first of them was never part of what is read.
            while first < len(segments) and (segments[first].ad or segments[first].missing):
                first += 1
            return segments[first:], 0
        last = self._pieces[-1].segment
        place = last.sequence - playlist.first_sequence
        if 0 <= place < len(segments) and is_same(last, segments[place], moved):
            return segments[place + 1 :], 0
        if place >= len(segments) and self._is_late(segments[-1], moved):
            return (), 0
        if place >= 0:
            return not_before(last, segments), 0
        skipped = -place - 1
        missing_s = skipped * usual_s(playlist)
        believed = missing_s <= max(LONGEST_SKIP_S, 2 * (time.monotonic() - self._grown_at))
        return not_before(last, segments), skipped if believed else 0

    def _is_late(self, newest: Segment, moved: bool) -> bool:
        """Whether a list that ends before ours is an old copy of it, and not that of a stream that began anew."""
        number = self.stop - 1 - (self._pieces[-1].segment.sequence - newest.sequence)
        if number < self.first or self[number].segment.sequence != newest.sequence:
            return False
        if not is_same(self[number].segment, newest, moved):
            return False
        if math.isnan(newest.program_time_s):
            self._behind.add(newest.sequence)
        return len(self._behind) < SLOW_MIRROR_LISTS

    def _place(self, segment: Segment, skipped_s: float, anew: bool) -> None:
        before = self._pieces[-1] if self._pieces else None
        lost = segment.ad or segment.missing
        duration_s = segment.span.duration_s
        start_s = away_s = shift_s = 0.0
        breaks = True
        if before is not None:
            away_s = seconds_missed(before.segment, segment, skipped_s, anew)
            anew = anew or away_s > 0
            self._clock += anew
            breaks = anew or lost or before.lost
            start_s = before.end_s + away_s
            if not anew:
                shift_s = before.shift_s
            if not breaks:
                wanted_s = self._shifts_s.get(self._clock, 0.0) - shift_s
                # Time never goes back, neither where pieces start nor where they end.
                moved_s = max(wanted_s, before.start_s - before.end_s, -duration_s)
                start_s, shift_s = start_s + moved_s, shift_s + moved_s
        end_s = round(start_s + duration_s, 6)
        piece = Piece(self.stop, start_s, end_s, segment, self._clock, breaks, lost, shift_s)
        self._pieces.append(piece)
        if before is not None and breaks:
            self.marks.part(start_s)
        if away_s:
            self.marks.lose(Span(start_s - away_s, start_s))
        if lost:
            self.marks.lose(piece.span)

    def _note_listed(self, playlist: MediaPlaylist) -> None:
        """Which pieces the server still has, and where."""
        offset = self.stop - 1 - self._pieces[-1].segment.sequence
        first_listed = max(self.first, playlist.first_sequence + offset)
        common = playlist.segments[first_listed - offset - playlist.first_sequence :]
        if first_listed >= self.stop or not common:
            return
        known = self[first_listed].segment
        if known.sequence != common[0].sequence or not is_same(known, common[0], moved=True):
            # Another numbering, all of which was known.
            return
        self.sliding = self.sliding or first_listed > max(self.first, self.first_listed)
        self.first_listed = first_listed
        if known.resource == common[0].resource:
            return
        # Signed addresses change; what is not read yet is read from where it is now.
        for segment in common:
            number = segment.sequence + offset
            if number < self.stop and self[number].segment.sequence == segment.sequence:
                self[number].segment = segment

    def _forget(self) -> None:
        old_s = self.end_s - KEEP_S
        kept = 0
        while (piece := self._pieces[kept]).number < self.first_listed and piece.end_s < old_s:
            kept += 1
        if kept:
            del self._pieces[:kept]
            oldest = self._pieces[0].clock
            self._shifts_s = {clock: shift for clock, shift in self._shifts_s.items() if clock >= oldest}
