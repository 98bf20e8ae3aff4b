"""Laws of stream time: whatever a live playlist says, time goes on, and nothing is read twice."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime

import pytest

from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.playlist import MediaPlaylist, parse_media
from kick_clip_generator.sources.live import timeline as live_timeline
from kick_clip_generator.sources.live.marks import LiveMarks
from kick_clip_generator.sources.live.timeline import LiveTimeline

URL = "https://live.example/path/index.m3u8"
DURATION_S = 2.0


def listing(
    first: int,
    count: int,
    *,
    date_s: float | None = None,
    duration_s: float = DURATION_S,
    name: str = "seg",
    breaks: tuple[int, ...] = (),
    ended: bool = False,
) -> MediaPlaylist:
    """Segments numbered from `first`; `date_s` is when the first was made, `breaks` come before those numbers."""
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
    for number in range(first, first + count):
        if number in breaks:
            lines.append("#EXT-X-DISCONTINUITY")
        if date_s is not None:
            at = datetime.fromtimestamp(date_s + (number - first) * duration_s, UTC)
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{at.isoformat(timespec='milliseconds')}")
        lines += [f"#EXTINF:{duration_s:.3f},", f"{name}{number}.ts?token={random.random()}"]
    if ended:
        lines.append("#EXT-X-ENDLIST")
    return parse_media("\n".join(lines).encode(), URL)


@pytest.fixture
def timeline() -> LiveTimeline:
    return LiveTimeline(from_start=True)


def starts_s(timeline: LiveTimeline) -> list[float]:
    return [timeline[number].start_s for number in range(timeline.first, timeline.stop)]


def sequences(timeline: LiveTimeline) -> list[int]:
    return [timeline[number].segment.sequence for number in range(timeline.first, timeline.stop)]


def test_a_window_slides() -> None:
    timeline = LiveTimeline(from_start=False)
    assert timeline.extend(listing(10, 8))
    # Three segments behind the newest.
    assert sequences(timeline) == [15, 16, 17] and starts_s(timeline) == [0, 2, 4]
    assert not timeline.extend(listing(10, 8))
    assert timeline.extend(listing(12, 8))
    assert sequences(timeline) == [15, 16, 17, 18, 19] and timeline.end_s == 10
    assert timeline.marks.breaks_s == () and not timeline.ended
    timeline.extend(listing(13, 8, ended=True))
    assert timeline.ended and timeline.end_s == 12


@pytest.mark.parametrize("date_s", [None, 1e9])
def test_an_old_copy_says_nothing_new(timeline: LiveTimeline, date_s: float | None) -> None:
    for first, count in ((10, 8), (8, 8), (9, 8), (10, 8), (10, 9)):
        timeline.extend(listing(first, count, date_s=None if date_s is None else date_s + first * DURATION_S))
    assert sequences(timeline) == list(range(10, 19))
    assert timeline.marks.breaks_s == ()


def test_a_mirror_with_other_numbers_is_told_by_its_dates(timeline: LiveTimeline) -> None:
    timeline.extend(listing(10, 8, date_s=1e9))
    for first in (5000, 3, 20):
        # Its list overlaps what is known by six segments, then goes on.
        known_s = timeline.end_s
        assert timeline.extend(listing(first, 8, date_s=1e9 + known_s - 12, name=f"m{first}_"), moved=True)
        assert timeline.end_s == known_s + 4
        assert timeline.marks.holes == ()
    # Old pieces keep their own addresses.
    assert "/seg10.ts" in timeline[0].segment.resource.url


def test_signed_addresses_are_kept_fresh(timeline: LiveTimeline) -> None:
    timeline.extend(listing(10, 4))
    old = timeline[3].segment.resource.url
    timeline.extend(listing(11, 4))
    assert timeline[3].segment.resource.url != old
    assert timeline.first_listed == 1 and timeline.sliding


def test_a_stream_that_begins_anew_under_the_same_names(timeline: LiveTimeline) -> None:
    timeline.extend(listing(0, 20))
    for count in range(1, 10):
        timeline.extend(listing(0, count))
    assert sequences(timeline)[20:] == list(range(9))
    assert timeline.marks.breaks_s == (40.0,)


def test_a_restart_of_known_length(timeline: LiveTimeline) -> None:
    timeline.extend(listing(100, 5, date_s=1e9))
    timeline.extend(listing(0, 2, date_s=1e9 + 10 + 33))
    assert timeline.marks.holes == (Span(10, 43),)
    assert timeline.marks.breaks_s == (10, 43)
    assert timeline.end_s == 47


@pytest.mark.parametrize("date_s", [1e9 - 500_000, 1e9 + 50 * 24 * 3600])
def test_a_clock_that_was_set_does_not_move_time(timeline: LiveTimeline, date_s: float) -> None:
    timeline.extend(listing(100, 5, date_s=1e9))
    timeline.extend(listing(0, 2, date_s=date_s))
    assert timeline.end_s == 14 and timeline.marks.holes == ()


@pytest.mark.parametrize("dated", [True, False])
def test_skipped_numbers(timeline: LiveTimeline, dated: bool) -> None:
    timeline.extend(listing(0, 5, date_s=1e9 if dated else None))
    timeline.extend(listing(8, 2, date_s=1e9 + 16 if dated else None))
    assert timeline.marks.holes == (Span(10, 16),)
    assert timeline.end_s == 20


def test_ten_million_skipped_numbers_are_a_new_numbering(timeline: LiveTimeline) -> None:
    timeline.extend(listing(0, 5))
    timeline.extend(listing(10_000_000, 2))
    assert timeline.marks.holes == () and timeline.marks.breaks_s == (10.0,)


def test_time_stamps_correct_what_rounding_drifts(timeline: LiveTimeline) -> None:
    # Listed as 2 s, really 2.2 s: each look reads the newest piece.
    for newest in range(1, 300):
        timeline.extend(listing(max(0, newest - 5), min(newest, 5) + 1))
        piece = timeline[timeline.stop - 1]
        timeline.correct(piece, piece.number * 2.2 - piece.start_s)
    assert timeline[299].start_s == pytest.approx(299 * 2.2, abs=0.3)
    assert timeline.marks.breaks_s == ()


def test_a_clock_that_begins_anew_unannounced(timeline: LiveTimeline) -> None:
    timeline.extend(listing(0, 6, breaks=(5,)))
    clocks = [timeline[number].clock for number in range(6)]
    timeline.split(timeline[3])
    assert [timeline[number].clock == clocks[number] for number in range(6)] == [True] * 3 + [False] * 2 + [True]
    assert timeline[3].breaks and timeline.marks.breaks_s == (6.0, 10.0)


def test_what_the_server_forgot_is_forgotten(timeline: LiveTimeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_timeline, "KEEP_S", 60.0)
    for first in range(0, 4000, 5):
        timeline.extend(listing(first, 8, breaks=(first + 7,)))
    assert timeline.stop - timeline.first < 60 / DURATION_S + 16
    assert len(timeline._shifts_s) < 60
    assert timeline.end_s == timeline.stop * DURATION_S


@pytest.mark.parametrize("seed", range(30))
def test_time_never_goes_back(seed: int) -> None:
    rng = random.Random(seed)
    timeline = LiveTimeline(from_start=rng.random() < 0.5)
    first, date_s = rng.randrange(1000), 1e9
    for _ in range(60):
        ended_s = timeline.end_s
        first = max(0, first + rng.choice((1, 1, 2, 3, -1, -4, 50, -500, 10**9)))
        date_s += rng.choice((2, 2, 4, 0, -30, 300, -(10**6), 10**7))
        timeline.extend(
            listing(
                first,
                rng.randrange(1, 9),
                date_s=date_s if rng.random() < 0.7 else None,
                duration_s=rng.choice((0.0, 0.5, 2.0, 6.006)) or 0.001,
                name=rng.choice(("a", "b")),
                breaks=tuple(first + k for k in range(9) if rng.random() < 0.2),
            ),
            moved=rng.random() < 0.1,
        )
        assert timeline.end_s >= ended_s
        newest = timeline[timeline.stop - 1]
        if rng.random() < 0.5:
            timeline.correct(newest, rng.uniform(-1, 1))
        if rng.random() < 0.1:
            timeline.lose(timeline[rng.randrange(timeline.first, timeline.stop)])
    assert starts_s(timeline) == sorted(starts_s(timeline))
    holes, breaks_s = timeline.marks.holes, timeline.marks.breaks_s
    assert all(before.end_s < after.start_s for before, after in itertools.pairwise(holes))
    assert list(breaks_s) == sorted(set(breaks_s))
    for hole in holes:
        assert hole.start_s in breaks_s and hole.end_s in breaks_s
        assert not any(hole.start_s < at_s < hole.end_s for at_s in breaks_s)


def test_holes_join() -> None:
    marks = LiveMarks()
    for start_s, end_s in ((10, 12), (20, 22), (14, 16), (12, 14)):
        marks.lose(Span(start_s, end_s))
    marks.part(15)
    marks.part(18)
    marks.part(18.000001)
    assert marks.holes == (Span(10, 16), Span(20, 22))
    assert marks.breaks_s == (10, 16, 18, 20, 22)
    assert marks.hole_at(10) == Span(10, 16) and marks.hole_at(16) is None and marks.hole_at(19) is None
