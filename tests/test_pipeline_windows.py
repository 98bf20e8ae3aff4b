"""Laws of the line from windows to ticks, on a made stream over HTTP."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled, LibraryError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source, plan_windows
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
from tests.origin import Origin, make_hls
from tests.streams import make_stream

pytestmark = pytest.mark.slow

DURATION_S = 320.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    stream = make_stream(folder / "stream.mp4", duration_s=DURATION_S, events=[(50, 58), (150.3, 161), (240, 251)])
    make_hls(folder / "ts", stream, "mpegts", segment_s=4.0)
    make_hls(folder / "fmp4", stream, "fmp4", segment_s=4.0)
    return folder


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=1, request_timeout=5)


def results(
    source: Source, settings: Settings, folder: Path, *, length_s: float, overlap_s: float = 5.0, start_s: float = 0.0
) -> list[WindowResult]:
    windows = plan_windows(start_s, source.duration_s, length_s=length_s, overlap_s=overlap_s)
    options = DecodeOptions(ffmpeg_path(None), 4.0, folder)
    with open_tracks(source, for_analysis(source, settings), settings) as reader:
        return list(measure(reader, windows, options=options, cancel=CancelToken()))


def joined(found: list[WindowResult], duration_s: float = DURATION_S) -> Timeline:
    timeline = Timeline.unknown(NAMES, 0, tick_containing(duration_s))
    for result in found:
        timeline.put(result.first_tick, result.rows)
    return timeline


def assert_same(one: Timeline, other: Timeline, start_s: float, end_s: float) -> None:
    a, b = one.between(start_s, end_s).values, other.between(start_s, end_s).values
    assert len(a) > 100
    for column, name in enumerate(NAMES):
        scale = np.maximum(np.nanmax(np.abs(b[:, column]), initial=0.0), 1e-9)
        np.testing.assert_array_equal(np.isnan(a[:, column]), np.isnan(b[:, column]), err_msg=name)
        difference = np.nanmax(np.abs(a[:, column] - b[:, column]), initial=0.0) / scale
        assert difference <= 1e-3, f"{name} differs by {difference:.2g} of its range"


@pytest.mark.parametrize("container", ["ts", "fmp4"])
def test_windowed_equals_whole(origin: Origin, settings: Settings, tmp_path: Path, container: str) -> None:
    source = resolve(origin.url(f"{container}/index.m3u8"), settings)
    whole = joined(results(source, settings, tmp_path, length_s=600))
    assert not np.isnan(whole.column("rms")).any()
    for length_s in (30.0, 17.3):
        windowed = joined(results(source, settings, tmp_path, length_s=length_s))
        assert_same(windowed, whole, 5, DURATION_S - 5)


@pytest.mark.parametrize("start_s", [7.0, 41.5, 133.3])
def test_start_offset_does_not_matter(origin: Origin, settings: Settings, tmp_path: Path, start_s: float) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    whole = joined(results(source, settings, tmp_path, length_s=600))
    later = joined(results(source, settings, tmp_path, length_s=30, start_s=start_s))
    assert_same(later, whole, start_s, DURATION_S - 5)


def test_a_file_gives_what_its_playlist_gives(origin: Origin, folder: Path, settings: Settings, tmp_path: Path) -> None:
    by_path = joined(results(resolve(str(folder / "stream.mp4"), settings), settings, tmp_path, length_s=30))
    by_http = joined(results(resolve(origin.url("stream.mp4"), settings), settings, tmp_path, length_s=30))
    np.testing.assert_array_equal(by_path.values, by_http.values)


def test_each_window_is_reported_once_and_leaves_no_media(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    found = results(resolve(origin.url("ts/index.m3u8"), settings), settings, tmp_path, length_s=30)
    assert [result.window.n for result in found] == list(range(len(found)))
    assert {result.status for result in found} == {"done"}
    stops = [result.first_tick + len(result.rows) for result in found]
    assert stops[:-1] == [result.first_tick for result in found[1:]]
    assert list(tmp_path.iterdir()) == []


def test_a_lost_segment_costs_only_its_window(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    whole = joined(results(resolve(origin.url("ts/index.m3u8"), settings), settings, tmp_path, length_s=30))
    origin.fail("/ts/index_025.ts", 404)
    try:
        found = results(resolve(origin.url("ts/index.m3u8"), settings), settings, tmp_path, length_s=30)
    finally:
        origin.fail("/ts/index_025.ts", 200, times=0)
    lost = [result for result in found if result.status != "done"]
    assert 1 <= len(lost) <= 2
    assert all(result.detail["error"] for result in lost)
    timeline = joined(found)
    assert np.isnan(timeline.between(100, 104).values).all()
    assert_same(timeline, whole, 5, 75)
    assert_same(timeline, whole, 140, DURATION_S - 5)


def test_a_folder_that_cannot_be_written_ends_the_run(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    with open_tracks(source, for_analysis(source, settings), settings) as reader:
        windows = plan_windows(0, source.duration_s, length_s=30, overlap_s=5)
        options = DecodeOptions(ffmpeg_path(None), 4.0, tmp_path / "missing")
        (tmp_path / "missing").write_text("a file where the folder should be")
        with pytest.raises(LibraryError, match="cannot be written"):
            list(measure(reader, windows, options=options, cancel=CancelToken()))


def test_one_medium_alone(settings: Settings, tmp_path: Path) -> None:
    audio = make_stream(tmp_path / "sound.m4a", duration_s=40, events=[(20, 28)], video=False)
    video = make_stream(tmp_path / "picture.mp4", duration_s=40, events=[(20, 28)], audio=False)
    for path, there, absent in ((audio, AUDIO_NAMES, VIDEO_NAMES), (video, VIDEO_NAMES, AUDIO_NAMES)):
        found = results(resolve(str(path), settings), settings, tmp_path, length_s=30)
        timeline = joined(found, 40)
        assert {result.status for result in found} == {"done"}
        for name in absent:
            assert np.isnan(timeline.column(name)).all()
        assert not np.isnan(timeline.column(there[0])[4:]).any()


@pytest.mark.parametrize("duration_s", [55.0, 116.0])
def test_a_stream_of_unknown_length_ends_where_its_media_end(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, duration_s: float
) -> None:
    # A batch of four windows ends at 105 s: the second stream ends in the batch's last window but for its lead-in.
    monkeypatch.setattr("kick_clip_generator.pipeline.ticks.WINDOWS_PER_BATCH", 4)
    known = make_stream(tmp_path / "known.mp4", duration_s=duration_s, events=[(20, 28)])
    unknown = tmp_path / "unknown.mkv"
    with unknown.open("wb") as pipe:  # what cannot seek back cannot write the length
        command = [ffmpeg_path(None), "-v", "error", "-i", str(known), "-c", "copy", "-f", "matroska", "-"]
        subprocess.run(command, stdout=pipe, check=True)
    source = resolve(str(unknown), settings)
    assert math.isnan(source.duration_s)
    windows = plan_windows(0, 36000, length_s=30, overlap_s=5)
    options = DecodeOptions(ffmpeg_path(None), 4.0, tmp_path)
    with open_tracks(source, for_analysis(source, settings), settings) as reader:
        found = list(measure(reader, windows, options=options, cancel=CancelToken()))
    assert {result.status for result in found} == {"done"}
    last = max(result.first_tick + np.flatnonzero(~np.isnan(result.rows[:, 0]))[-1] for result in found)
    assert last == pytest.approx(duration_s / 0.5, abs=2)


def test_cancel_ends_between_windows(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    cancel = CancelToken()
    seen = 0
    with open_tracks(source, for_analysis(source, settings), settings, cancel) as reader, pytest.raises(Cancelled):
        options = DecodeOptions(ffmpeg_path(None), 4.0, tmp_path)
        for _ in measure(reader, plan_windows(0, DURATION_S, length_s=30, overlap_s=5), options=options, cancel=cancel):
            seen += 1
            cancel.cancel()
    assert seen == 1
    assert list(tmp_path.iterdir()) == []
