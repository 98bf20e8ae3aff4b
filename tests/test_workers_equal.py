"""Three workers give what one gives, and windows of any length from any start what one look gives: bit for bit."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
from analyses import analyze_file

from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES
from tests.streams import make_stream

VIDEOS = Path(__file__).parents[2] / "shared" / "fixtures" / "video"
pytestmark = pytest.mark.slow

DURATION_S = 60.0


@pytest.fixture(scope="module", params=["made mp4", "made ts", "talk_720p30.mp4", "cartoon_720p.webm"])
def stream(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of media at most; real ones are taken as they are."""
    folder = tmp_path_factory.mktemp("stream")
    if request.param.startswith("made"):
        target = folder / f"stream.{request.param.split()[1]}"
        return make_stream(target, duration_s=DURATION_S, events=[(20, 28), (41.3, 50)])
    if not (VIDEOS / request.param).is_file():
        pytest.skip(f"the real video {request.param} is not on this machine")
    return VIDEOS / request.param


def measured(stream: Path, folder: Path, **changes) -> Timeline:
    """The features of a file, as an analysis of every picture gives them."""
    changes = {"analysis_effort": "full", "database": f"{uuid.uuid4()}.db", **changes}
    analysis = analyze_file(stream, folder, **changes)
    assert not analysis.windows["partial"] and not analysis.windows["failed"]
    return analysis.timeline


@pytest.fixture(scope="module")
def whole(stream: Path, tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    timeline = measured(stream, tmp_path_factory.mktemp("whole"), chunk_duration=600)
    assert np.isfinite(timeline.values).any(axis=0).mean() > 0.9
    return timeline


@pytest.fixture(autouse=True)
def _short_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    # Decoders start anew at each boundary, and these streams are short.
    monkeypatch.setattr("kick_clip_generator.pipeline.ticks.WINDOWS_PER_BATCH", 1)


def test_workers_do_not_change_a_bit(stream: Path, tmp_path: Path) -> None:
    alone, together = (
        measured(stream, tmp_path / str(workers), max_workers=workers, chunk_duration=10) for workers in (1, 3)
    )
    assert alone.first_tick == together.first_tick
    np.testing.assert_array_equal(together.values, alone.values)


@pytest.mark.parametrize("length_s", [30.0, 17.3])
@pytest.mark.parametrize("start_s", [0.0, 7.0, 12.3])
def test_windows_do_not_change_a_bit(
    stream: Path, whole: Timeline, tmp_path: Path, length_s: float, start_s: float
) -> None:
    found = measured(stream, tmp_path, start_s=start_s, chunk_duration=length_s, chunk_overlap=5)
    expected = whole.between(start_s, whole.end_s)
    assert (found.first_tick, len(found)) == (expected.first_tick, len(expected)) and len(found) > 30
    for name in NAMES:
        # Vorbis packets differ in length and Matroska rounds their stamps to 1 ms: two runs may sample the sound that
        # far apart (see `media.clock`).
        if not (stream.suffix == ".webm" and name in AUDIO_NAMES):
            np.testing.assert_array_equal(found.column(name), expected.column(name), err_msg=name)
