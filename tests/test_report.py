"""The last line of a run: how much of the stream was seen, and what it took."""

from __future__ import annotations

import math

import pytest

from kick_clip_generator.core.records import Rendition, Source, SourceKind
from kick_clip_generator.pipeline.report import coverage_report, size
from kick_clip_generator.sources.net.traffic import Traffic


def source(kind: SourceKind = "hls", bitrate_bps: float = 6_222_222.0, *, live: bool = False) -> Source:
    renditions = (
        Rendition("a", height_px=160, bitrate_bps=3e5),
        Rendition("b", height_px=1080, bitrate_bps=bitrate_bps),
    )
    return Source("https://x.example/v", kind, "v", 3600.0, "f", renditions, live=live)


def windows(done: int, partial: int = 0, failed: int = 0) -> dict[str, int]:
    return {"done": done, "partial": partial, "failed": failed}


def test_what_is_missing_and_what_a_download_would_have_taken_is_told() -> None:
    said = coverage_report(source(), windows(1198, 2), 3600.0, Traffic(9010, 0, 138_000_000))
    assert said == (
        "1,198 of 1,200 windows complete, 2 partial; 138 MB fetched of 2.8 GB; "
        "the same command tries the missing ones again."
    )


def test_repeated_requests_are_counted() -> None:
    said = coverage_report(source(bitrate_bps=math.nan), windows(3, 0, 1), 100.0, Traffic(40, 3, 1_500_000))
    assert said.startswith("3 of 4 windows complete, 1 lost; 1.5 MB fetched; 3 of 40 requests repeated;")


def test_files_and_live_streams_are_not_promised_what_is_not_theirs() -> None:
    assert coverage_report(source("file"), windows(4), 100.0, Traffic()) == "4 of 4 windows complete."
    assert "again" not in coverage_report(source(live=True), windows(4, 1), 100.0, Traffic())


def test_a_whole_that_is_smaller_than_what_was_fetched_is_not_told() -> None:
    assert " of 1" not in coverage_report(source(bitrate_bps=1000.0), windows(4), 10.0, Traffic(1, 0, 9999))


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_990_000, "10.0 MB"),
        (138e6, "138 MB"),
        (2.84e9, "2.8 GB"),
    ],
)
def test_sizes(count: float, shown: str) -> None:
    assert size(count) == shown
