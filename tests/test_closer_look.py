"""The closer look: windowed = whole for every extended signal, and a run that takes it goes on where it was stopped."""

from __future__ import annotations

import importlib.util
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
from analyses import analyze_file

from kick_clip_generator.core.clip_row import clip_row
from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken, Progress
from kick_clip_generator.core.records import Rendition, Source, Span, plan_windows
from kick_clip_generator.core.settings import load_settings
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features import voice_activity
from kick_clip_generator.features.registry import EXTENDED_NAMES, NAMES
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.media.faces import cascade_path
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.analyze import Analysis, beside, extended_pass
from kick_clip_generator.pipeline.closer_look import MOST_OF_THE_WINDOWS, look_closer
from kick_clip_generator.pipeline.lanes import DecodeOptions
from kick_clip_generator.sources.renditions import for_analysis
from kick_clip_generator.sources.resolve import resolve
from kick_clip_generator.sources.tracks import open_tracks
from tests.origin import Origin, make_hls
from tests.streams import make_stream
from tests.test_features_voice import voice

DURATION_S = 60.0
EVENTS = [(60.0, 70.0), (215.0, 226.0)]

OPTIONAL = {
    "voice_activity": voice_activity._network() is not None,
    "tracked_pitch": importlib.util.find_spec("pyworld") is not None,
    "face_count": cascade_path() is not None,
    "face_area": cascade_path() is not None,
}


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice with pauses, and a picture that moves, with a keyframe every 4 s and B pictures."""
    folder = tmp_path_factory.mktemp("talk")
    time_s = np.arange(int(DURATION_S * 16_000)) / 16_000
    sound = voice(140 + 20 * np.sin(time_s), DURATION_S, level=0.3) * (time_s % 4 < 3)
    sound += 1e-3 * np.random.default_rng(0).standard_normal(len(sound))
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.round(sound * 32767).astype("<i2").tobytes())
    target = folder / "talk.mp4"
    command = [str(ffmpeg_path(None)), "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=20"]
    command += [
        "-i",
        str(folder / "a.wav"),
        "-t",
        str(DURATION_S),
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-g",
        "80",
    ]
    # Decoders put random noise where perceptual noise substitution was: no two runs would agree.
    command += ["-pix_fmt", "yuv420p", "-c:a", "aac", "-aac_pns", "0", "-ar", "48000", str(target)]
    subprocess.run(command, check=True)
    make_hls(folder / "ts", target, "mpegts", segment_s=4.0)
    return target


def looked(source: str, temp: Path, *, length_s: float, start_s: float = 0.0, private: str = "") -> Timeline:
    settings = load_settings({"allowed_private_hosts": private})
    resolved = resolve(source, settings)
    windows = plan_windows(start_s, resolved.duration_s, length_s=length_s, overlap_s=5.0)
    options = DecodeOptions(str(ffmpeg_path(None)), 4.0, temp)
    timeline = Timeline.unknown(EXTENDED_NAMES, 0, int(DURATION_S * 2))
    with open_tracks(resolved, for_analysis(resolved, settings), settings) as tracks:
        for result in look_closer(tracks, windows, options=options, cancel=CancelToken()):
            assert result.status == "done", result.detail
            timeline.put(result.first_tick, result.rows)
    assert not list(temp.iterdir())
    return timeline


@pytest.fixture(scope="module")
def whole(talk: Path, tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    return looked(str(talk), tmp_path_factory.mktemp("temp"), length_s=200)


def assert_same(some: Timeline, whole: Timeline, start_s: float, end_s: float = DURATION_S - 5) -> None:
    for name in EXTENDED_NAMES:
        expected = whole.between(start_s, end_s).column(name)
        np.testing.assert_array_equal(some.between(start_s, end_s).column(name), expected, err_msg=name)


def test_every_extended_signal_is_there(whole: Timeline) -> None:
    for name in EXTENDED_NAMES:
        assert np.isfinite(whole.column(name)[10:]).any() == OPTIONAL.get(name, True), name


@pytest.mark.parametrize(
    ("length_s", "start_s"),
    [
        (17.3, 7.0),
        *(
            pytest.param(*other, marks=pytest.mark.slow)
            for other in ((17.3, 0.0), (17.3, 21.5), (30.0, 0.0), (30.0, 7.0), (30.0, 21.5))
        ),
    ],
)
def test_windowed_equals_whole(talk: Path, whole: Timeline, tmp_path: Path, length_s: float, start_s: float) -> None:
    some = looked(str(talk), tmp_path, length_s=length_s, start_s=start_s)
    assert_same(some, whole, start_s + 5 if start_s else 0)


@pytest.mark.slow
def test_windows_of_a_playlist_equal_the_whole(talk: Path, tmp_path: Path) -> None:
    with Origin(talk.parent) as origin:
        url = origin.url("ts/index.m3u8")
        one, other = (looked(url, tmp_path, length_s=length, private="127.0.0.1") for length in (200.0, 30.0))
    assert_same(other, one, 0)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_stream(tmp_path_factory.mktemp("stream") / "a.mp4", duration_s=300, events=EVENTS)


def run(stream: Path, folder: Path, signals: str, **others) -> Analysis:
    return analyze_file(stream, folder, signals=signals, **others)


@pytest.mark.slow
def test_core_has_no_extended_signals(stream: Path, tmp_path: Path) -> None:
    analysis = run(stream, tmp_path, "core")
    assert analysis.extended is None and analysis.notes == () and analysis.signals.names == NAMES


def test_learning_takes_rows_with_extended_columns_and_without() -> None:
    rng = np.random.default_rng(0)
    timeline = Timeline(NAMES, rng.random((400, len(NAMES)), np.float32))
    extended = Timeline.unknown(EXTENDED_NAMES, 0, 400)
    extended.values[100:200] = rng.random((100, len(EXTENDED_NAMES)), np.float32)
    moments = [Span(at_s, at_s + 8) for at_s in range(0, 190, 15)]
    plain = [clip_row(timeline, moment) for moment in moments]
    rich = [clip_row(beside(timeline, extended), moment) for moment in moments]
    assert np.isnan(rich[0]["formant_1_mean"]) and np.isfinite(rich[5]["formant_1_mean"])
    assert all(rich[0][name] == value or np.isnan(value) for name, value in plain[0].items())
    stars = rng.integers(1, 6, 2 * len(moments)).tolist()
    model = MLHighlightModel(n_estimators=3).fit("audio", plain + rich, stars)
    for rows in (plain, rich):
        assert np.isfinite(model.predict("audio", rows)).all()


@pytest.mark.parametrize(("signals", "live"), [("core", False), ("candidates", True), ("all", True)])
def test_a_running_stream_and_core_are_not_looked_at_twice(signals: str, live: bool) -> None:
    rendition = Rendition(url="https://example.com/index.m3u8")
    source = Source("https://example.com", "hls", "a", np.nan, "f", (rendition,), live=live)
    assert extended_pass(source, load_settings({"signals": signals})) is None


@pytest.mark.slow
def test_candidates_are_looked_at_once_and_no_media_are_read_again(stream: Path, tmp_path: Path) -> None:
    analysis = run(stream, tmp_path, "candidates")
    assert analysis.extended is not None and analysis.extended.names == EXTENDED_NAMES
    seen = np.isfinite(analysis.extended.column("picture_novelty"))
    assert 0 < seen.mean() <= max(MOST_OF_THE_WINDOWS, 1 / 12) + 0.01
    best = analysis.detection.merged[0]
    row = clip_row(analysis.signals, best.event)
    assert np.isfinite(row["picture_novelty_mean"]) and np.isfinite(row["rms_mean"])
    away = clip_row(analysis.signals, Span(120, 130))
    assert np.isnan(away["picture_novelty_mean"]) and np.isnan(away["voice_activity_max"])

    steps: list[Progress] = []
    again = run(stream, tmp_path, "candidates", progress=steps.append, config=DetectionConfig(min_gap_s=11.0))
    assert not steps and again.traffic.requests == 0
    np.testing.assert_array_equal(again.extended.values, analysis.extended.values)


@pytest.mark.slow
def test_what_is_not_installed_is_told_once_and_measured_when_it_is(talk: Path, tmp_path: Path, monkeypatch) -> None:
    found = importlib.util.find_spec
    hidden = ("faster_whisper", "pyworld")
    with monkeypatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in hidden else found(name, *rest))
        without = run(talk, tmp_path, "candidates")
    assert len(without.notes) == 1 and without.notes[0].count("pip install") >= 2
    assert np.isnan(without.extended.column("tracked_pitch")).all()
    assert np.isfinite(without.extended.column("formant_1")).any()
    later = run(talk, tmp_path, "candidates")
    for name in ("voice_activity", "tracked_pitch"):
        assert np.isfinite(later.extended.column(name)).any() == OPTIONAL[name]


@pytest.mark.slow
def test_everywhere_and_a_run_that_was_stopped_goes_on(stream: Path, tmp_path: Path) -> None:
    expected = run(stream, tmp_path / "whole", "all").extended
    assert expected is not None and np.isfinite(expected.column("picture_novelty"))[10:].all()
    counts: list[int] = []
    token = CancelToken()

    def watch(progress: Progress) -> None:
        counts.append(progress.done)
        # The closer look begins to count anew.
        if progress.done == 3 and counts.count(3) == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        run(stream, tmp_path, "all", progress=watch, cancel=token)
    counts.clear()
    analysis = run(stream, tmp_path, "all", progress=lambda progress: counts.append(progress.done))
    assert counts == list(range(3, 13))
    np.testing.assert_array_equal(analysis.extended.values, expected.values)
    # What candidates are given is what everybody is given.
    some = run(stream, tmp_path, "candidates").extended
    known = ~np.isnan(some.values)
    np.testing.assert_array_equal(some.values[known], expected.values[known])
