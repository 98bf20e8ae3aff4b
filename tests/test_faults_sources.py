"""What the network does to a stream, through the real pipeline: which windows suffer, how much, and for how long."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import SourceError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Span, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import Timeline, tick_containing
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks
from tests.origin import (
    Agents,
    Drip,
    Empty,
    Fault,
    First,
    Origin,
    Page,
    Redirect,
    Reset,
    Shortened,
    Stall,
    Status,
    Truncated,
    make_hls,
    random_faults,
    too_many,
)
from tests.streams import make_stream

pytestmark = pytest.mark.slow

DURATION_S = 40.0
SEGMENT_S = 2.0
# The one that suffers, and what it holds.
SEGMENT = "/ts/index_009.ts"
LOST_S = (18.0, 20.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    stream = make_stream(folder / "stream.mp4", duration_s=DURATION_S, events=[(12, 16), (30, 34)])
    make_hls(folder / "ts", stream, segment_s=SEGMENT_S)
    make_hls(folder / "key", stream, segment_s=SEGMENT_S, key=True)
    make_hls(folder / "ranges", stream, segment_s=SEGMENT_S, byte_ranges=True)
    make_hls(folder / "key_ranges", stream, segment_s=SEGMENT_S, key=True, byte_ranges=True)
    make_hls(folder / "bare", stream, segment_s=SEGMENT_S, suffixes=False)
    make_hls(folder / "fmp4", stream, "fmp4", segment_s=SEGMENT_S)
    make_hls(folder / "fmp4_key", stream, "fmp4", segment_s=SEGMENT_S, key=True)
    return folder


@pytest.fixture
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def settings() -> Settings:
    return Settings(
        allowed_private_hosts=("127.0.0.1",), max_retries=3, backoff_factor=1, request_timeout=1, chunk_duration=10
    )


@pytest.fixture(scope="module")
def calm(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    """The stream without any faults."""
    with Origin(folder) as origin:
        settings = Settings(allowed_private_hosts=("127.0.0.1",), chunk_duration=10)
        return timeline_of(measured(origin.url("ts/index.m3u8"), settings, tmp_path_factory.mktemp("calm")))


def measured(
    url: str, settings: Settings, folder: Path, keep: Callable[[WindowResult], None] | None = None
) -> list[WindowResult]:
    source = resolve(url, settings)
    windows = plan_windows(0, source.duration_s, length_s=settings.chunk_duration, overlap_s=settings.chunk_overlap)
    options = DecodeOptions(ffmpeg_path(None), 4.0, folder)
    found = []
    with open_tracks(source, for_analysis(source, settings), settings) as tracks:
        for result in measure(tracks, windows, options=options, cancel=CancelToken()):
            found.append(result)
            if keep is not None:
                keep(result)
    assert list(folder.iterdir()) == []
    return found


def timeline_of(found: list[WindowResult]) -> Timeline:
    timeline = Timeline.unknown(NAMES, 0, tick_containing(DURATION_S))
    for result in found:
        timeline.put(result.first_tick, result.rows)
    return timeline


def assert_equal(one: Timeline, other: Timeline, start_s: float = 0.0, end_s: float = DURATION_S) -> None:
    np.testing.assert_array_equal(one.between(start_s, end_s).values, other.between(start_s, end_s).values)


def lost_share(timeline: Timeline, start_s: float, end_s: float) -> float:
    """The share of ticks of a span of which nothing at all is known."""
    return float(np.isnan(timeline.between(start_s, end_s).values).all(axis=1).mean())


PASSING: dict[str, Fault] = {
    "503 twice": First(2, Status(503)),
    "429": First(1, too_many(1)),
    "403": First(1, Status(403)),
    "reset": First(1, Reset()),
    "truncated": First(2, Truncated()),
    "truncated silently": First(1, Shortened()),
    "empty": First(1, Empty()),
    "web page": First(1, Page()),
    "stall": First(1, Stall()),
    "drip": First(1, Drip(400)),
}


@pytest.mark.parametrize("kind", PASSING)
def test_a_fault_that_passes_costs_nothing(
    kind: str, origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    origin.inject(SEGMENT, PASSING[kind])
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert_equal(timeline_of(found), calm)
    assert 2 <= origin.requests[SEGMENT] <= 3
    others = [count for path, count in origin.requests.items() if path.endswith(".ts") and path != SEGMENT]
    assert set(others) == {1}


def test_a_user_agent_that_is_refused_is_not_sent_again(
    origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    origin.inject("/ts/*.ts", Agents("Chrome|Safari/605", Status(403)))
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert_equal(timeline_of(found), calm)
    # Found out once, by as many requests as were under way together.
    refused = origin.requests.total() - len(origin.requests)
    assert refused <= 2 * (settings.max_workers + settings.prefetch_segments)


STAYING: dict[str, Fault] = {
    "404": Status(404),
    "410": Status(410),
    "500": Status(500),
    "empty": Empty(),
    "web page": Page(),
    "reset": Reset(),
    "stall": Stall(),
    "redirect to the metadata service": Redirect("http://169.254.169.254/latest/"),
    "redirect to a file": Redirect("file:///etc/passwd"),
    "redirect in circles": Redirect(SEGMENT),
}


@pytest.mark.parametrize("kind", STAYING)
def test_a_lost_segment_costs_its_own_seconds(
    kind: str, origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    origin.inject(SEGMENT, STAYING[kind])
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    timeline = timeline_of(found)
    hurt = [result for result in found if result.status != "done"]
    # The only windows that may miss something own a part of the segment.
    assert hurt
    assert all(r.window.own_start_s < LOST_S[1] and r.window.end_s > LOST_S[0] for r in hurt)
    assert {result.status for result in hurt} == {"partial"}
    for result in hurt:
        assert result.detail["error"]
        (gap,) = result.detail["gaps"]
        assert gap == pytest.approx(LOST_S, abs=0.1)
        share_lost = Span(*LOST_S).overlap_s(result.window.owned) / result.window.owned.duration_s
        # A tick on either edge may be lost with it.
        for medium in ("audio", "video"):
            assert result.detail["coverage"][medium] == pytest.approx(1 - share_lost, abs=0.21)
    assert {result.detail["coverage"]["audio"] for result in found if result.status == "done"} == {1.0}
    # Its last frames need no successor, so up to a tick on either side is known or not.
    assert lost_share(timeline, LOST_S[0] + 0.5, LOST_S[1] - 0.5) == 1
    assert lost_share(timeline, 0, LOST_S[0] - 0.5) == 0
    assert lost_share(timeline, LOST_S[1] + 0.5, DURATION_S - 0.5) == 0
    assert_equal(timeline, calm, 0, LOST_S[0] - 0.5)
    # Behind the hole the features have their context again after a while.
    assert_equal(timeline, calm, LOST_S[1] + 8, DURATION_S - 0.5)


def test_half_a_segment_is_noticed_though_it_claims_to_be_whole(
    origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    origin.inject(SEGMENT, Shortened())
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    hurt = [result for result in found if result.status == "partial"]
    assert hurt and {result.status for result in found} == {"done", "partial"}
    assert all(r.window.own_start_s < LOST_S[1] and r.window.end_s > LOST_S[0] for r in hurt)
    timeline = timeline_of(found)
    assert lost_share(timeline, *LOST_S) > 0
    # What follows is at its own time, not moved up into the hole.
    assert_equal(timeline, calm, LOST_S[1] + 8, DURATION_S - 0.5)


@pytest.mark.parametrize("after", [6, 12])
def test_addresses_that_expire_are_asked_for_again(
    after: int, origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kick_clip_generator.sources.reader.RENEWAL_PAUSE_S", 0.1)
    signed = origin.sign("/ts/index.m3u8", after=after)
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert_equal(timeline_of(found), calm)
    assert signed.issued >= DURATION_S / SEGMENT_S / after


def test_a_share_of_failing_requests_costs_only_those(
    origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    faults = random_faults(0.2, seed=3)
    origin.inject("/ts/*.ts", faults)
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert_equal(timeline_of(found), calm)
    segments = sum(count for path, count in origin.requests.items() if path.endswith(".ts"))
    assert len(faults.struck) >= 2
    assert segments == DURATION_S / SEGMENT_S + faults.struck.total()


@pytest.mark.parametrize(
    ("fault", "outcome"), [(Status(503), "server"), (Status(403), "blocked"), (Reset(0.0), "truncated")]
)
def test_a_network_that_dies_ends_the_run_and_leaves_what_is_finished(
    fault: Fault, outcome: str, origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    finished: list[WindowResult] = []
    for n in range(12, 20):
        origin.inject(f"/ts/index_{n:03d}.ts", fault)
    origin.inject("/ts/index.m3u8", lambda seen, honest: fault(seen, honest) if finished else None)
    with pytest.raises(SourceLost) as caught:
        measured(origin.url("ts/index.m3u8"), settings, tmp_path, finished.append)
    assert caught.value.retryable
    assert caught.value.outcome in (outcome, "unreachable")
    done = [result for result in finished if result.status == "done"]
    assert done and max(result.window.end_s for result in done) >= 20
    assert_equal(timeline_of(finished), calm, 0, 20)


@pytest.mark.parametrize("kind", ["key", "ranges", "key_ranges", "bare", "fmp4", "fmp4_key"])
def test_however_it_is_packed_it_is_the_same_stream(
    kind: str, origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    found = measured(origin.url(f"{kind}/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert len(found) == len(plan_windows(0, DURATION_S, length_s=10, overlap_s=5))
    timeline = timeline_of(found)
    if kind.startswith("fmp4"):
        # Other containers give other starts, by less than a sample of the features.
        assert lost_share(timeline, 0, DURATION_S - 0.5) == 0
    else:
        assert_equal(timeline, calm)


def test_names_types_and_compression_mean_nothing(
    origin: Origin, settings: Settings, calm: Timeline, tmp_path: Path
) -> None:
    origin.content_type("/ts/index.m3u8", "text/html")
    origin.gzip("/ts/index.m3u8")
    for n in range(20):
        origin.content_type(f"/ts/index_{n:03d}.ts", "image/png")
    origin.gzip(SEGMENT)
    origin.redirect("/ts/index_003.ts", "/moved/here?sig=1")
    moved = (origin.folder / "ts" / "index_003.ts").read_bytes()
    origin.page("/moved/here", moved)
    found = measured(origin.url("ts/index.m3u8"), settings, tmp_path)
    assert {result.status for result in found} == {"done"}
    assert_equal(timeline_of(found), calm)


def test_sound_kept_apart_is_read_with_the_picture(
    folder: Path, settings: Settings, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    apart = tmp_path_factory.mktemp("apart")
    shutil.copy(folder / "stream.mp4", apart)
    make_hls(apart / "hls", apart / "stream.mp4", renditions=[160], segment_s=SEGMENT_S, separate_audio=True)
    with Origin(apart) as origin:
        found = measured(origin.url("hls/master.m3u8"), settings, tmp_path)
        asked = {path for path in origin.requests if path.endswith(".ts")}
    assert {result.status for result in found} == {"done"}
    timeline = timeline_of(found)
    for name in (AUDIO_NAMES[0], VIDEO_NAMES[0]):
        assert not np.isnan(timeline.column(name)[4:-4]).any()
    assert {path.rpartition("_")[0] for path in asked} == {"/hls/160p", "/hls/sound"}


def test_a_stream_of_which_nothing_can_be_had_is_no_empty_result(
    origin: Origin, settings: Settings, tmp_path: Path
) -> None:
    origin.inject("/ts/*.ts", Status(404))
    with pytest.raises(SourceError):
        measured(origin.url("ts/index.m3u8"), settings, tmp_path)
