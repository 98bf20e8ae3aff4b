"""The Python API from the package root, as users script it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kick_clip_generator import ClipGeneratorError, KickClipGenerator, MLHighlightModel
from kick_clip_generator.core.clip_row import clip_row
from kick_clip_generator.core.progress import Progress
from kick_clip_generator.core.records import Source, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.media.probe import probe
from kick_clip_generator.service.generate import GenerateRequest, generate_highlights
from tests.streams import make_stream


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("generator")
    return str(make_stream(folder / "stream.mp4", duration_s=100, events=[(30, 39), (70, 80)]))


def test_the_documented_lines(stream: str) -> None:
    steps: list[Progress] = []
    generator = KickClipGenerator(clip_duration=8, min_gap=10, progress=steps.append)
    audio, video = generator.process_stream(stream)
    assert audio and video
    assert {highlight.kind for highlight in audio} == {"audio"}
    assert all(highlight.clip.duration_s == pytest.approx(8) for highlight in audio + video)
    paths = generator.generate_clips(stream, audio[:1] + video[:1], output=Path("mine"), cut="copy")
    assert [path.name for path in paths] == ["audio_highlight_1_audio.mp4", "video_highlight_1_video.mp4"]
    assert all(probe(path).duration_s > 7 for path in paths)
    exported = json.loads(generator.export_highlights_json(audio, video).read_text())
    assert len(exported["audio_highlights"]) == len(audio)
    assert exported["highlights"][0]["kind"] == "both"
    assert {step.step for step in steps} >= {"resolve", "analyze", "clips"}


def test_weights_are_keyed_by_feature_names(stream: str) -> None:
    usual, _ = KickClipGenerator().process_stream(stream)
    mine, _ = KickClipGenerator(audio_weights={"rms_mean": 1.0}).process_stream(stream)
    assert {reason.signal for reason in mine[0].reasons} <= {"rms", "rms_mean"}
    assert len({reason.signal for reason in usual[0].reasons}) > 1
    with pytest.raises(ClipGeneratorError, match="rms_meen"):
        KickClipGenerator(audio_weights={"rms_meen": 1.0}).process_stream(stream)


def test_a_time_range(stream: str) -> None:
    audio, _ = KickClipGenerator().process_stream(stream, start_minute=1)
    assert audio and all(highlight.event.start_s >= 60 for highlight in audio)


@pytest.mark.parametrize("options", [{"clip_duration": -1}, {"min_gap": float("nan")}, {"max_audio_clips": 26}])
def test_numbers_out_of_range(stream: str, options: dict[str, float]) -> None:
    with pytest.raises(ClipGeneratorError):
        KickClipGenerator(**options).process_stream(stream)  # type: ignore[arg-type]


@pytest.mark.slow
def test_another_regressor(stream: str) -> None:
    from sklearn.ensemble import RandomForestRegressor

    settings = Settings(min_training_samples=4)
    request = GenerateRequest.checked(url=stream, settings=settings, min_gap_s=2, cut="copy")
    with Library.open(settings.database_path) as library:
        result = generate_highlights(request, library=library, settings=settings)
        for number, clip in enumerate(result.clips):
            library.rate(clip.id, 1 + number % 5, None)
    model = MLHighlightModel()
    model.audio_model = RandomForestRegressor(n_estimators=20)
    done = KickClipGenerator(model=model, settings=settings).retrain()
    if len(result.clips) < 4:
        assert "Not enough" in done.reason
    else:
        card = json.loads(Path(f"models/{done.number}.card.json").read_text())
        assert card["regressors"]["audio"] == "RandomForestRegressor"
        row = clip_row(result.analysis.timeline, Span(30, 39))
        assert MLHighlightModel.load(Path("models"), done.number or 0).predict("audio", [row]) is not None


def test_the_root_imports_nothing_by_itself() -> None:
    code = "import sys, kick_clip_generator as k; assert 'numpy' not in sys.modules; k.Span(0, 1); k.Highlight"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


def test_source_needs_a_rendition() -> None:
    with pytest.raises(ValueError, match="rendition"):
        Source("a", "file", "a", 1.0, "f", ())


def test_a_cap_of_nothing_is_refused_with_its_range() -> None:
    with pytest.raises(ClipGeneratorError, match="max_video_clips must be 1 to 25, got 0"):
        GenerateRequest.checked(url="stream.mp4", settings=Settings(), max_video_clips=0)
