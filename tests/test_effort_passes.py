"""A run with two passes: what is looked at twice, what is kept of it, and that it finds what one whole pass finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, Progress, silent
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.jobs.inline import analyze_inline
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.analyze import Analysis, analyzed_span
from kick_clip_generator.sources.resolve import resolve
from tests.streams import make_stream

EVENTS = [(60.0, 70.0), (215.0, 226.0)]


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("stream") / "a.mp4", duration_s=300, events=EVENTS)


def run(stream: Path, folder: Path, effort: str, progress=silent, cancel: CancelToken | None = None) -> Analysis:
    settings: Settings = load_settings({"temp_dir": folder / "temp", "analysis_effort": effort})
    source: Source = resolve(str(stream), settings)
    span, _ = analyzed_span(source, None, settings)
    with Library.open(folder / "clips.db") as library:
        library.record_source(source)
        _, analysis = analyze_inline(
            library,
            source,
            span,
            settings=settings,
            config=DetectionConfig(),
            scorer=None,
            progress=progress,
            cancel=cancel or CancelToken(),
        )
    return analysis


def test_two_passes_find_what_one_finds(stream: Path, tmp_path: Path) -> None:
    whole = run(stream, tmp_path, "full")
    twice = run(stream, tmp_path, "keyframes")
    for analysis in (whole, twice):
        assert dict(analysis.windows) == {"done": 12, "partial": 0, "failed": 0}
        found = sorted(highlight.event for highlight in analysis.detection.merged[:2])
        for event, (start_s, end_s) in zip(found, EVENTS, strict=True):
            assert event.start_s == pytest.approx(start_s, abs=2) and event.end_s == pytest.approx(end_s, abs=2)
    # The sound is the same, bit for bit; the picture is known everywhere, and dense only somewhere.
    np.testing.assert_array_equal(twice.timeline.column("rms"), whole.timeline.column("rms"))
    assert not np.isnan(twice.timeline.column("motion")).any()
    assert 0 < np.isfinite(twice.timeline.column("scene_cut")).mean() < 0.5


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_in_either_pass(stream: Path, tmp_path: Path) -> None:
    expected = run(stream, tmp_path / "whole", "keyframes").timeline.values
    seen: list[tuple[int, int]] = []
    for stop_at in (5, 3, 0):
        token = CancelToken()

        def watch(progress: Progress, token: CancelToken = token, stop_at: int = stop_at) -> None:
            seen.append((progress.done, progress.total))
            if progress.total != 12 and stop_at == 3 and progress.done == 1:
                token.cancel()
            if progress.total == 12 and progress.done == stop_at == 5:
                token.cancel()

        if stop_at:
            with pytest.raises(Cancelled):
                run(stream, tmp_path, "keyframes", watch, token)
        else:
            analysis = run(stream, tmp_path, "keyframes", watch)
    assert analysis.windows["done"] == 12
    np.testing.assert_array_equal(analysis.timeline.values, expected)
    # Nothing that was finished is measured again.
    assert sum(done == 1 and total == 12 for done, total in seen) == 1
