"""Laws of the live reader, on a stream whose pictures tell when they were taken, served with all that goes wrong."""

from __future__ import annotations

import io
import itertools
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Rendition, Source, Span, Window, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import Timeline, tick_containing
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.sources.live import follow as live_follow
from kick_clip_generator.sources.live.reader import LiveReader
from kick_clip_generator.sources.tracks import Tracks
from tests.origin import Origin, Page, Shortened
from tests.origin.live import SEGMENT_S, LiveStream, Made, luma_at, make_ramp, tone_hz_at

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

# The pictures count in steps of half a second.
SEEN_S = 0.5
Renew = Callable[[], Rendition | None]


@pytest.fixture(scope="module")
def ramp(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_ramp(tmp_path_factory.mktemp("ramp"))


@pytest.fixture(scope="module")
def ramp_mp4(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_ramp(tmp_path_factory.mktemp("ramp_mp4"), duration_s=32.0, container="fmp4")


@pytest.fixture(scope="module")
def advert(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_ramp(tmp_path_factory.mktemp("advert"), duration_s=4.8, constant=True)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    with Origin(tmp_path) as server:
        yield server


@pytest.fixture
def settings() -> Settings:
    made = Settings(allowed_private_hosts="127.0.0.1", request_timeout=5, max_retries=1, backoff_factor=1)  # type: ignore[arg-type]
    # Shorter than users may set it: a test waits for it.
    return made.model_copy(update={"live_stall": 0.6})


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_follow, "MIN_RELOAD_S", 0.01)
    monkeypatch.setattr(live_follow, "LEAST_RENEWAL_S", 0.05)


def opened(
    origin: Origin,
    live: LiveStream,
    settings: Settings,
    *,
    renew: Renew | None = None,
    cancel: CancelToken | None = None,
) -> LiveReader:
    origin.mount("/live/", live)
    rendition = Rendition(origin.url("live/index.m3u8"))
    source = Source(rendition.url, "hls", "A channel", math.nan, "f", (rendition,), live=True)
    return LiveReader(source, rendition, settings, cancel, renew=renew)


def pictures(data: bytes, offset_s: float) -> list[tuple[float, float]]:
    """Per picture: its place in stream time by the run's offset, and when it was taken, as its brightness tells."""
    with av.open(io.BytesIO(data)) as container:
        starts = [s.start_time * s.time_base for s in container.streams if s.start_time is not None]
        start_s = float(min(starts))
        return [
            (frame.time - start_s + offset_s, (float(np.mean(frame.to_ndarray()[:90])) - 20) / 2)
            for frame in container.decode(video=0)
        ]


def read_all(reader: LiveReader, folder: Path, *, until_s: float = 40.0) -> list[tuple[float, float]]:
    """All pictures up to an instant, read as the pipeline does: a new run behind every break and hole."""
    found: list[tuple[float, float]] = []
    at_s = 0.0
    for _ in range(60):
        if at_s >= until_s:
            break
        window = Window(0, at_s, until_s, at_s)
        target = folder / "chunk"
        target.unlink(missing_ok=True)
        try:
            offset_s = reader.start(window)
            size = reader.fetch(window, target)
            at_s = until_s
        except SourceError as error:
            assert error.outcome in ("gap", "discontinuity"), error
            hole = next((hole for hole in reader.holes if hole.start_s - 0.01 <= at_s < hole.end_s - 0.01), None)
            later = [at for at in reader.breaks_s if at > at_s + 0.01]
            at_s = hole.end_s if hole else later[0]
            size = target.stat().st_size if target.exists() else 0
        if size:
            found += pictures(target.read_bytes(), offset_s)
    return found


def offsets(found: list[tuple[float, float]]) -> set[float]:
    """How much stream time is ahead of when the pictures were taken, rounded to what the pictures tell."""
    return {round((at_s - taken_s) * 2) / 2 for at_s, taken_s in found}


def assert_true_times(found: list[tuple[float, float]], *, zero_s: float) -> None:
    """Each picture lies where it was taken, counted from `zero_s` of the world."""
    assert len(found) > 40
    for at_s, taken_s in found:
        assert at_s == pytest.approx(taken_s - zero_s, abs=SEEN_S)


def assert_forwards(found: list[tuple[float, float]]) -> None:
    assert all(before[0] < after[0] for before, after in itertools.pairwise(found))


def assert_whole(found: list[tuple[float, float]], holes: tuple[Span, ...], *, until_s: float) -> None:
    """No picture is missing but where there is a hole."""
    for (before_s, _), (after_s, _) in itertools.pairwise([(0.0, 0.0), *found, (until_s, 0.0)]):
        lost_s = sum(hole.overlap_s(Span(before_s, max(before_s, after_s))) for hole in holes)
        assert after_s - before_s <= lost_s + 0.35


def zero_of(live: LiveStream, *, listed: int = 6) -> float:
    """Where in the world a reader begins that is opened now: three segments behind what its first look lists."""
    return (listed + 1 - 3) * SEGMENT_S


@pytest.mark.parametrize("kind", ["mpegts", "fmp4"])
def test_a_stream_is_followed_without_a_gap(
    kind: str, ramp: Made, ramp_mp4: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp if kind == "mpegts" else ramp_mp4)
    with opened(origin, live, settings) as reader:
        assert reader.container == {"mpegts": "mpegts", "fmp4": "mp4"}[kind]
        assert reader.info.has_audio and reader.info.has_video and math.isnan(reader.info.duration_s)
        found = read_all(reader, tmp_path, until_s=20)
        assert_true_times(found, zero_s=zero_of(live))
        assert_forwards(found)
        assert_whole(found, (), until_s=20)
        assert reader.breaks_s == () and reader.holes == ()
        assert reader.traffic.bytes_read > 0
    assert {count for path, count in origin.requests.items() if "seg_" in path} == {1}


def test_windows_join_into_one_run(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    with opened(origin, LiveStream(ramp), settings) as reader:
        windows = [Window(n, n * 4.0, n * 4.0 + 6.0, n * 4.0 + 2.0 * (n > 0)) for n in range(5)]
        offset_s = reader.start(windows[0])
        data = b""
        for window in windows:
            reader.fetch(window, tmp_path / "chunk")
            data += (tmp_path / "chunk").read_bytes()
        whole = pictures(data, offset_s)
        assert_whole(whole, (), until_s=22)
        # A run that begins later lies on the same instants.
        later_s = reader.start(windows[3])
        assert later_s <= windows[3].start_s
        reader.fetch(windows[4], tmp_path / "chunk")
        again = pictures((tmp_path / "chunk").read_bytes(), later_s)
        assert all(min(abs(at_s - other_s) for other_s, _ in whole) < 0.002 for at_s, _ in again)


def test_from_the_start_of_what_the_server_keeps(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, window=None, listed=15)
    live.at(16 * SEGMENT_S, live.end)
    with opened(origin, live, settings.model_copy(update={"live_from": "start"})) as reader:
        found = read_all(reader, tmp_path)
    assert_true_times(found, zero_s=0)
    assert found[-1][0] == pytest.approx(16 * SEGMENT_S, abs=0.3)


@pytest.mark.parametrize("way", ["end", "vanish"])
def test_a_stream_ends_cleanly(way: str, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp)
    live.at(24.0, getattr(live, way))
    with opened(origin, live, settings) as reader:
        window = Window(0, 0.0, 30.0, 0.0)
        offset_s = reader.start(window)
        assert reader.fetch(window, tmp_path / "chunk") > 0
        found = pictures((tmp_path / "chunk").read_bytes(), offset_s)
        assert_true_times(found, zero_s=zero_of(live))
        assert found[-1][1] == pytest.approx(live.world_s, abs=2 * SEEN_S)
        for n in (1, 2):
            assert reader.fetch(Window(n, n * 25.0, n * 25.0 + 30.0, n * 25.0 + 5.0), tmp_path / "chunk") == 0
        # So does one that begins there.
        behind = Window(4, 100.0, 130.0, 105.0)
        assert reader.start(behind) == behind.start_s
        assert reader.fetch(behind, tmp_path / "chunk") == 0


def test_ads_are_holes_and_time_goes_on(
    ramp: Made, advert: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, advert)
    live.at(16.0, lambda: live.ads(6 * SEGMENT_S))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=30)
        (hole,) = reader.holes
    zero_s = zero_of(live)
    assert (hole.start_s, hole.end_s) == pytest.approx((16.0 - zero_s, 16.0 + 6 * SEGMENT_S - zero_s), abs=0.01)
    assert_true_times(found, zero_s=zero_s)
    assert_whole(found, (hole,), until_s=30)
    assert not any("/ad_" in path for path in origin.requests)


def test_an_ad_before_the_stream_is_no_part_of_it(
    ramp: Made, advert: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, advert, listed=1)
    live.ads(8 * SEGMENT_S)
    live.grow(6)
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=12)
        assert reader.holes == ()
    assert_true_times(found, zero_s=9 * SEGMENT_S)


@pytest.mark.parametrize("dated", [True, False])
def test_a_restart_goes_on_as_a_new_stretch(
    dated: bool, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, program_dates=dated)
    live.at(19.2, lambda: live.restart(away_s=8.0))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=28)
        zero_s = zero_of(live)
        assert_forwards(found)
        break_s = 19.2 - zero_s
        if dated:
            # The time of day tells how long it was away.
            assert_true_times(found, zero_s=zero_s)
            (hole,) = reader.holes
            assert (hole.start_s, hole.end_s) == pytest.approx((break_s, break_s + 8.0), abs=0.01)
        else:
            assert reader.holes == ()
            assert reader.breaks_s == pytest.approx((break_s,), abs=0.01)
            assert {round(at_s - taken_s + zero_s) for at_s, taken_s in found} <= {0, -8}


@pytest.mark.parametrize("sequence", [0, 3_000_000_000])
def test_a_new_numbering_of_any_size_is_a_restart(
    sequence: int, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, program_dates=False)
    live.at(16.0, lambda: live.restart(sequence=sequence))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        assert reader.holes == ()
    assert_true_times(found, zero_s=zero_of(live))


@pytest.mark.parametrize("dated", [True, False])
def test_skipped_numbers_are_a_hole(
    dated: bool, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, program_dates=dated)
    live.at(16.0, lambda: live.jump(5))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=24)
        (hole,) = reader.holes
    assert hole.duration_s == pytest.approx(5 * SEGMENT_S, abs=0.01)
    assert_true_times(found, zero_s=zero_of(live))
    assert_whole(found, (hole,), until_s=24)


@pytest.mark.parametrize("declared", [True, False])
def test_time_stamps_that_begin_anew_do_not_move_time(
    declared: bool, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, stamp_90khz=5000 * 90_000)
    live.at(16.0, lambda: live.reset_stamps(declared=declared))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        assert reader.breaks_s == pytest.approx((16.0 - zero_of(live),), abs=0.05)
        assert reader.holes == ()
    assert_true_times(found, zero_s=zero_of(live))
    assert_whole(found, (), until_s=20)


def test_time_stamps_that_wrap_do_not_break_a_run(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, stamp_90khz=2**33 - 14 * 90_000)
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        assert reader.breaks_s == ()
        # And one that begins behind it is where it was.
        later_s = reader.start(Window(1, 12.0, 16.0, 14.0))
        reader.fetch(Window(1, 12.0, 16.0, 14.0), tmp_path / "chunk")
        assert_true_times(found + pictures((tmp_path / "chunk").read_bytes(), later_s), zero_s=zero_of(live))
    assert_whole(found, (), until_s=20)


def test_a_discontinuity_parts_two_runs(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp)
    live.at(16.0, live.discontinuity)
    with opened(origin, live, settings) as reader:
        reader.start(Window(0, 0.0, 20.0, 0.0))
        with pytest.raises(SourceError) as caught:
            reader.fetch(Window(0, 0.0, 20.0, 0.0), tmp_path / "chunk")
        assert caught.value.outcome == "discontinuity"
        (break_s,) = reader.breaks_s
        assert pictures((tmp_path / "chunk").read_bytes(), 0)[-1][0] == pytest.approx(break_s, abs=0.3)
        # A lead-in beyond it is left away.
        assert reader.start(Window(1, break_s - 3, 20.0, break_s + 2)) == pytest.approx(break_s, abs=0.05)


def test_a_lost_segment_is_a_hole(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp)
    live.at(16.0, live.lose)
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=16)
        (hole,) = reader.holes
        assert hole.duration_s == pytest.approx(SEGMENT_S)
        with pytest.raises(SourceError) as caught:
            reader.start(Window(1, hole.start_s - 2, hole.end_s + 2, hole.start_s + 0.5))
        assert caught.value.outcome == "gap"
    assert_true_times(found, zero_s=zero_of(live))
    assert_whole(found, (hole,), until_s=16)


def test_a_stall_is_noticed_though_requests_succeed(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    live.at(16.0, live.stall)
    looks: list[float] = []

    def renew() -> Rendition:
        looks.append(live.world_s)
        live.resume()
        return Rendition(origin.url("live/index.m3u8?again=1"))

    with opened(origin, live, settings, renew=renew) as reader:
        found = read_all(reader, tmp_path, until_s=16)
    assert looks == [16.0]
    assert_true_times(found, zero_s=zero_of(live))
    assert any(seen.query == "again=1" for seen in origin.seen)


@pytest.mark.parametrize("answer", ["none", "offline"])
def test_a_stall_that_nobody_ends_is_the_end(
    answer: str, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    live.at(16.0, live.stall)
    looks = 0

    def renew() -> None:
        nonlocal looks
        looks += 1
        if answer == "offline":
            raise SourceError("The channel is not live now.", outcome="offline")

    with opened(origin, live, settings, renew=renew) as reader:
        found = read_all(reader, tmp_path)
    assert looks == 2
    assert found[-1][1] == pytest.approx(16.0, abs=2 * SEEN_S)


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_playlist_that_is_refused_for_a_while(
    status: int, ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)

    def away() -> None:
        live.refuse(status)
        # A pause of the wall clock, as an outage is.
        threading.Timer(0.7, live.resume).start()

    live.at(16.0, away)
    with opened(origin, live, settings.model_copy(update={"max_retries": 0})) as reader:
        found = read_all(reader, tmp_path, until_s=16)
        assert reader.holes == ()
    assert_true_times(found, zero_s=zero_of(live))


def test_an_address_that_expired_is_found_anew(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp)
    origin.mount("/moved/", live)
    live.at(16.0, lambda: live.refuse(403))

    def renew() -> Rendition:
        live.resume()
        return Rendition(origin.url("moved/index.m3u8"))

    with opened(origin, live, settings, renew=renew) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        assert reader.holes == () and reader.breaks_s == ()
    assert_true_times(found, zero_s=zero_of(live))
    assert any(path.startswith("/moved/seg") for path in origin.requests)


def test_a_dead_network_is_lost_and_can_be_resumed(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    live.at(16.0, lambda: live.refuse(503))
    with opened(origin, live, settings.model_copy(update={"max_retries": 0, "live_stall": 0.3})) as reader:
        window = Window(0, 0.0, 30.0, 0.0)
        reader.start(window)
        with pytest.raises(SourceLost) as caught:
            reader.fetch(window, tmp_path / "chunk")
        assert caught.value.retryable and caught.value.outcome == "server"
        # What came before is kept.
        assert pictures((tmp_path / "chunk").read_bytes(), 0)


def test_a_span_is_cut_from_what_the_server_keeps(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, window=6)
    live.at(40.0, live.stall)
    with opened(origin, live, settings) as reader:
        read_all(reader, tmp_path, until_s=28)
        span = Span(22.0, 25.0)
        media = reader.span(span, tmp_path)
        found = pictures(media.path.read_bytes(), media.offset_s)
        assert media.temporary and media.offset_s <= span.start_s and media.end_s >= span.end_s
        assert_true_times(found, zero_s=zero_of(live))


def test_a_span_that_the_server_forgot_is_a_gap(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp, window=6)
    live.ahead = 10**6
    live.at(40.0, live.stall)
    with opened(origin, live, settings) as reader:
        # Nobody read it, so nobody kept it.
        with reader._timeline.changed:
            reader._timeline.wait(lambda: reader._timeline.end_s > 25, lambda: None)
        with pytest.raises(SourceError, match="does not keep it") as caught:
            reader.span(Span(4.0, 6.0), tmp_path)
        assert caught.value.outcome == "gap"
    assert not list(tmp_path.glob("span_*"))


def test_signed_segments_are_refused_until_the_stream_is_looked_up(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    signed = origin.sign("/live/index.m3u8", after=3)
    origin.mount("/live/", live)

    def renew() -> Rendition:
        return Rendition(origin.url("live/index.m3u8"))

    # Each token pays for three segments; each look at the playlist hands out a new one.
    with opened(origin, live, settings.model_copy(update={"user_agents": ("Tests",)}), renew=renew) as reader:
        found = read_all(reader, tmp_path, until_s=16)
        assert reader.holes == ()
    assert signed.issued > 3
    assert_true_times(found, zero_s=zero_of(live))


def test_a_segment_that_fails_while_the_stream_goes_on_is_a_hole(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    origin.fail("/live/seg_0_110.ts", 503)
    origin.inject("/live/seg_0_114.ts", Page())
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        holes = reader.holes
    assert [hole.duration_s for hole in holes] == pytest.approx([SEGMENT_S, SEGMENT_S])
    assert_true_times(found, zero_s=zero_of(live))
    assert_whole(found, holes, until_s=20)


def test_a_segment_that_was_cut_short_in_silence_is_noticed(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    origin.inject("/live/seg_0_112.ts", Shortened(0.4))
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=20)
        (hole,) = reader.holes
    end_s = 13 * SEGMENT_S - zero_of(live)
    assert hole.end_s == pytest.approx(end_s, abs=0.05) and 0.5 < hole.duration_s < SEGMENT_S
    assert_true_times(found, zero_s=zero_of(live))
    assert_whole(found, (hole,), until_s=20)


def test_encrypted_segments(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp, key=b"0123456789abcdef")
    with opened(origin, live, settings) as reader:
        found = read_all(reader, tmp_path, until_s=10)
    assert_true_times(found, zero_s=zero_of(live))
    assert origin.requests["/live/key"] == 1


def test_a_slow_reader_loses_nothing_that_was_listed(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp)
    # More than what is fetched ahead: the stream goes on only if what is about to slide out is fetched, too.
    live.ahead = 6
    live.at(48.0, live.stall)
    with opened(origin, live, settings.model_copy(update={"live_stall": 60.0})) as reader:
        window = Window(0, 0.0, 4.0, 0.0)
        reader.start(window)
        # Meanwhile the stream goes on until all of this has slid out of the playlist.
        with reader._timeline.changed:
            reader._timeline.wait(lambda: reader._timeline.end_s > 40, lambda: None)
        found = read_all(reader, tmp_path, until_s=30)
        assert reader.holes == ()
    assert_true_times(found, zero_s=zero_of(live))


def test_the_line_from_a_live_stream_to_ticks(
    ramp: Made, advert: Made, origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    live = LiveStream(ramp, advert)
    live.at(19.2, lambda: live.ads(6 * SEGMENT_S))
    live.at(41.6, lambda: live.restart(away_s=4 * SEGMENT_S))
    live.at(60.8, live.end)
    options = DecodeOptions(ffmpeg_path(None), 4.0, tmp_path)
    windows = plan_windows(0, 36000, length_s=10, overlap_s=5)
    with opened(origin, live, settings) as reader:
        results = list(measure(Tracks(reader), windows, options=options, cancel=CancelToken()))
        holes = reader.holes
    zero_s = zero_of(live)
    away = [Span(at_s - zero_s, at_s - zero_s + lost_s) for at_s, lost_s in ((19.2, 9.6), (41.6, 6.4))]
    assert [hole.start_s for hole in holes] == pytest.approx([span.start_s for span in away], abs=0.01)
    assert [hole.end_s for hole in holes] == pytest.approx([span.end_s for span in away], abs=0.01)
    timeline = Timeline.unknown(NAMES, 0, tick_containing(live.world_s - zero_s))
    for result in results:
        timeline.put(result.first_tick, result.rows)
    middles_s = (np.arange(len(timeline)) + 0.5) * 0.5
    lost = np.array([any(hole.start_s < at_s < hole.end_s for hole in away) for at_s in middles_s])
    for name, value_at in (("brightness", luma_at), ("spectral_centroid", tone_hz_at)):
        seen = timeline.column(name)
        known = ~np.isnan(seen)
        assert not known[lost].any()
        # A run's windows end at a break; what the next one finds there comes after it.
        assert known[~lost].mean() > 0.5
        expected = np.array([value_at(at_s + zero_s) for at_s in middles_s])
        step = value_at(SEEN_S) - value_at(0)
        assert np.abs(seen - expected)[known].max() < 1.5 * step
    assert results[-1].window.end_s == pytest.approx(live.world_s - zero_s, abs=10)


def test_cancel_ends_a_wait_for_what_is_to_come(ramp: Made, origin: Origin, settings: Settings, tmp_path: Path) -> None:
    live = LiveStream(ramp)
    live.at(16.0, live.stall)
    cancel = CancelToken()
    with opened(origin, live, settings.model_copy(update={"live_stall": 60.0}), cancel=cancel) as reader:
        reader.start(Window(0, 0.0, 30.0, 0.0))
        threading.Timer(0.3, cancel.cancel).start()
        with pytest.raises(Cancelled):
            reader.fetch(Window(0, 0.0, 30.0, 0.0), tmp_path / "chunk")
    assert not list(tmp_path.iterdir())


def test_metadata_do_not_pile_up(
    ramp: Made, origin: Origin, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kick_clip_generator.sources.live.timeline.KEEP_S", 10.0)
    live = LiveStream(ramp)
    with opened(origin, live, settings) as reader:
        read_all(reader, tmp_path, until_s=48)
        assert len(reader._timeline._pieces) <= 8 + 10 / SEGMENT_S + 1
        with pytest.raises(SourceError) as caught:
            reader.start(Window(0, 0.0, 20.0, 5.0))
        assert caught.value.outcome == "gap"
