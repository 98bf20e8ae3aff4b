"""A run of glimpses finds what the whole stream tells, falls back where keyframes are rare, and can be stopped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from analyses import analyze_file

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, Progress
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.analyze import Analysis
from tests.streams import make_stream

EVENTS = [(60.0, 70.0), (215.0, 226.0)]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("stream") / "a.mp4", duration_s=300, events=EVENTS)


def run(stream: Path, folder: Path, effort: str, **others) -> Analysis:
    return analyze_file(stream, folder, analysis_effort=effort, **others)


def test_glimpses_find_what_the_whole_stream_tells(stream: Path, tmp_path: Path) -> None:
    whole = run(stream, tmp_path, "full")
    glimpses = run(stream, tmp_path, "keyframes")
    for analysis in (whole, glimpses):
        assert dict(analysis.windows) == {"done": 12, "partial": 0, "failed": 0}
        found = sorted(highlight.event for highlight in analysis.detection.merged[:2])
        for event, (start_s, end_s) in zip(found, EVENTS, strict=True):
            assert event.start_s == pytest.approx(start_s, abs=2) and event.end_s == pytest.approx(end_s, abs=2)
    # The sound is the same, bit for bit; the picture is known everywhere, and cuts nowhere.
    np.testing.assert_array_equal(glimpses.timeline.column("rms"), whole.timeline.column("rms"))
    assert not np.isnan(glimpses.timeline.column("motion")).any()
    assert np.isnan(glimpses.timeline.column("scene_cut")).all()


@pytest.mark.slow
@pytest.mark.parametrize(("keyframes_s", "passes"), [(2, 1), (15, 2)])
def test_a_run_that_was_stopped_goes_on_in_either_pass(tmp_path: Path, keyframes_s: int, passes: int) -> None:
    once = make_stream(tmp_path / "once.mp4", duration_s=300, events=EVENTS)
    stream = tmp_path / "a.mp4"
    encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-g", str(keyframes_s * 20), "-sc_threshold", "0"]
    command = [ffmpeg_path(None), "-v", "error", "-nostdin", "-i", once, *encoder, "-c:a", "copy", stream]
    subprocess.run([str(part) for part in command], check=True)
    expected = run(stream, tmp_path / "whole", "keyframes").timeline
    # Rare keyframes: references everywhere, which know cuts.
    assert np.isfinite(expected.column("scene_cut")).any() == (passes == 2)
    seen: list[int] = []
    for stop_at in (*(n * 12 - 7 for n in range(1, passes + 1)), 0):
        token = CancelToken()
        here: list[int] = []

        def watch(progress: Progress, token: CancelToken = token, stop_at: int = stop_at, here: list = here) -> None:
            seen.append(progress.done)
            here.append(progress.done)
            if here.count(12) * 12 % 24 + progress.done % 12 == stop_at and stop_at:
                token.cancel()

        if stop_at:
            with pytest.raises(Cancelled):
                run(stream, tmp_path, "keyframes", progress=watch, cancel=token)
        else:
            analysis = run(stream, tmp_path, "keyframes", progress=watch)
    np.testing.assert_array_equal(analysis.timeline.values, expected.values)
    # Nothing that was finished is measured again.
    assert seen.count(1) == passes


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"chunk_duration": 17.3}, {"max_workers": 3}])
def test_windows_and_workers_do_not_matter(stream: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    once = run(stream, tmp_path / "once", "keyframes", max_workers=1).timeline
    again = run(stream, tmp_path / "again", "keyframes", **{"max_workers": 1, **changes}).timeline
    np.testing.assert_array_equal(again.values, once.values)
