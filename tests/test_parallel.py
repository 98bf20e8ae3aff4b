"""Batches at the same time: the same bits in the same order, and an end within a moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source, plan_windows
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.pipeline.parallel import measure_in_parallel
from kick_clip_generator.pipeline.ticks import measure
from kick_clip_generator.pipeline.windows import WindowResult
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import Tracks, open_tracks
from tests.origin import Origin, make_hls
from tests.streams import make_stream

pytestmark = pytest.mark.slow

DURATION_S = 150.0


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    folder = tmp_path_factory.mktemp("parallel")
    stream = make_stream(folder / "stream.mp4", duration_s=DURATION_S, events=[(50, 58), (110, 118)])
    make_hls(folder / "ts", stream, "mpegts", segment_s=4.0)
    with Origin(folder) as origin:
        yield origin


@pytest.fixture(autouse=True)
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kick_clip_generator.pipeline.ticks.WINDOWS_PER_BATCH", 2)


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=1, request_timeout=5)


def run(source: Source, settings: Settings, folder: Path, workers: int, cancel: CancelToken | None = None):
    windows = plan_windows(0, source.duration_s, length_s=20, overlap_s=5)
    options = DecodeOptions(ffmpeg_path(None), 4.0, folder)

    def opens(token: CancelToken) -> Tracks:
        return open_tracks(source, for_analysis(source, settings), settings, token)

    if workers == 1:
        with opens(CancelToken()) as tracks:
            yield from measure(tracks, windows, options=options, cancel=CancelToken())
    else:
        yield from measure_in_parallel(opens, windows, workers=workers, options=options, cancel=cancel or CancelToken())


def assert_same(one: list[WindowResult], other: list[WindowResult]) -> None:
    assert [(r.window, r.status, r.first_tick) for r in one] == [(r.window, r.status, r.first_tick) for r in other]
    for before, after in zip(one, other, strict=True):
        np.testing.assert_array_equal(before.rows, after.rows)


def threads() -> set[str]:
    return {thread.name.split("-")[0] for thread in threading.enumerate()} & {"batches", "feeder", "ffmpeg"}


@pytest.mark.parametrize("workers", [2, 3, 9])
@pytest.mark.parametrize("path", ["ts/index.m3u8", "stream.mp4"])
def test_workers_give_what_one_gives(
    origin: Origin, settings: Settings, tmp_path: Path, path: str, workers: int
) -> None:
    source = resolve(origin.url(path), settings)
    alone = list(run(source, settings, tmp_path, 1))
    assert len(alone) == 10 and {result.status for result in alone} == {"done"}
    assert_same(alone, list(run(source, settings, tmp_path, workers)))
    assert list(tmp_path.iterdir()) == [] and threads() == set()


def test_a_lost_segment_costs_the_same(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    origin.fail("/ts/index_014.ts", 404)
    try:
        alone, together = (list(run(source, settings, tmp_path, workers)) for workers in (1, 3))
    finally:
        origin.fail("/ts/index_014.ts", 200, times=0)
    assert [result.status for result in alone].count("partial") == 1
    assert_same(alone, together)


def test_a_rendition_that_cannot_be_opened_is_told(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    origin.fail("/ts/index.m3u8", 404)
    try:
        with pytest.raises(SourceError) as caught:
            list(run(source, settings, tmp_path, 2))
    finally:
        origin.fail("/ts/index.m3u8", 200, times=0)
    assert caught.value.outcome == "not_found"
    assert threads() == set()


def test_cancel_and_leaving_early_end_all_workers(origin: Origin, settings: Settings, tmp_path: Path) -> None:
    source = resolve(origin.url("ts/index.m3u8"), settings)
    cancel = CancelToken()
    with closing(run(source, settings, tmp_path, 3, cancel)) as results, pytest.raises(Cancelled):
        for _ in results:
            cancel.cancel()
    with closing(run(source, settings, tmp_path, 3)) as results:
        next(results)
    until = time.monotonic() + 5
    while threads() and time.monotonic() < until:
        time.sleep(0.05)
    assert threads() == set()
    assert list(tmp_path.iterdir()) == []
