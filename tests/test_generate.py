"""The main use case, its resume, and the files it must not touch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kick_clip_generator.clips.plan import plan_clips
from kick_clip_generator.core.errors import Cancelled, InputError, LibraryError, SourceError
from kick_clip_generator.core.progress import CancelToken, Progress
from kick_clip_generator.core.records import Detection, Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MEASURE, JobInfo, JobQuery
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe
from kick_clip_generator.service.generate import GenerateRequest, GenerateResult, generate_highlights
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.rating import next_to_rate, rate
from kick_clip_generator.sources.net.traffic import Traffic
from tests.origin import Origin, make_hls
from tests.streams import make_stream

pytestmark = pytest.mark.slow

DURATION_S = 130.0
EVENTS = [(40.0, 49.0), (90.0, 101.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generate")
    stream = make_stream(folder / "stream.mp4", duration_s=DURATION_S, events=EVENTS)
    make_hls(folder / "ts", stream, "mpegts", (160, 240), segment_s=5.0)
    return folder


@pytest.fixture(scope="module")
def origin(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=0, request_timeout=5)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with open_library(settings) as library:
        yield library


def generate(url: str | Path, library: Library, settings: Settings, **options: object) -> GenerateResult:
    progress, cancel = options.pop("progress", lambda _: None), options.pop("cancel", None)
    request = GenerateRequest.checked(url=str(url), settings=settings, **options)  # type: ignore[arg-type]
    return generate_highlights(request, library=library, settings=settings, progress=progress, cancel=cancel)  # type: ignore[arg-type]


def assert_finds_the_events(found: Detection) -> None:
    for start_s, end_s in EVENTS:
        event = Span(start_s, end_s)
        assert max(h.event.temporal_iou(event) for h in found.merged[: len(EVENTS)]) > 0.5


def test_a_url_in_ranked_clips_out(origin: Origin, library: Library, settings: Settings) -> None:
    steps: list[Progress] = []
    result = generate(origin.url("ts/master.m3u8"), library, settings, progress=steps.append)
    assert_finds_the_events(result.detection)
    assert result.folder == Path("output_clips/ts")
    assert [clip.highlight for clip in result.clips] == list(result.detection.merged)
    for clip in result.clips:
        info = probe(clip.path)
        assert info.height_px == 240, "the best rendition is cut"
        assert info.has_audio and info.duration_s == pytest.approx(clip.highlight.clip.duration_s, abs=0.1)
        assert clip.path.name == f"{clip.kind}_highlight_{clip.path.stem.split('_')[2]}_{clip.kind}.mp4"
    assert origin.requests["/ts/160p_000.ts"] <= 2, "the cheapest rendition is analysed, each segment fetched once"
    assert [step.step for step in steps][-1] == "done"
    assert {step.total for step in steps if step.step == "analyze"} == {5}
    assert list(Path("temp_chunks").iterdir()) == []
    assert not list(Path().rglob("*.part"))

    manifest = json.loads(next(result.folder.glob("highlights_*.json")).read_text())
    best = manifest["highlights"][0]
    assert set(best) >= {"start", "end", "event_start", "event_end", "peak", "score", "kind", "reasons", "file"}
    assert (result.folder / best["file"]).is_file()
    assert sum(reason["contribution"] for reason in best["reasons"]) == pytest.approx(best["score"], abs=1e-5)
    assert manifest["audio_highlights"] and manifest["video_highlights"]


def test_a_stopped_run_goes_on_at_the_first_unfinished_window(
    origin: Origin, library: Library, settings: Settings
) -> None:
    url = origin.url("ts/160p.m3u8")
    whole = generate(url, library, settings, make_clips=False)
    cancel = CancelToken()

    def stop_after_two(progress: Progress) -> None:
        if progress.step == "analyze" and progress.done == 2:
            cancel.cancel()

    with Library.open(Path("other.db")) as other:
        with pytest.raises(Cancelled):
            generate(url, other, settings, make_clips=False, progress=stop_after_two, cancel=cancel)
        assert [job.status for job in measured(other)] == ["cancelled"]
        assert sorted(other.windows(measured(other)[0].id)) == [0, 1]
        origin.requests.clear()
        resumed = generate(url, other, settings, make_clips=False)
        assert [job.status for job in measured(other)] == ["done"]
    assert resumed.detection == whole.detection
    assert origin.requests["/ts/160p_003.ts"] == 0, "media of finished windows are not fetched again"
    assert origin.requests["/ts/160p_020.ts"] == 1


def measured(library: Library) -> tuple[JobInfo, ...]:
    return library.jobs(JobQuery(kind=MEASURE)).items


def test_a_second_run_reads_no_media_and_keeps_its_clips(folder: Path, library: Library, settings: Settings) -> None:
    first = generate(folder / "stream.mp4", library, settings)
    times = {clip.path: clip.path.stat().st_mtime_ns for clip in first.clips}
    job = measured(library)[0]
    assert len(list(Path("feature_cache").glob("*.npz"))) == 1
    assert {row.result for row in library.windows(job.id).values()} == {None}, "the database stays small"
    second = generate(folder / "stream.mp4", library, settings)
    assert second.analysis.traffic == Traffic()
    np.testing.assert_array_equal(second.analysis.timeline.values, first.analysis.timeline.values)
    assert [clip.id for clip in second.clips] == [clip.id for clip in first.clips]
    assert {clip.path: clip.path.stat().st_mtime_ns for clip in second.clips} == times


def test_features_that_were_deleted_are_measured_again(folder: Path, library: Library, settings: Settings) -> None:
    first = generate(folder / "stream.mp4", library, settings, make_clips=False)
    for stored in Path("feature_cache").glob("*.npz"):
        stored.unlink()
    second = generate(folder / "stream.mp4", library, settings, make_clips=False)
    assert second.detection == first.detection
    assert len(list(Path("feature_cache").glob("*.npz"))) == 1


@pytest.mark.parametrize("touch", ["rated", "changed", "foreign"])
def test_what_people_touched_is_never_written_over(
    folder: Path, library: Library, settings: Settings, touch: str
) -> None:
    first = generate(folder / "stream.mp4", library, settings)
    path = first.clips[0].path
    if touch == "rated":
        rate(library, settings, first.clips[0].id, 5)
    elif touch == "changed":
        path.write_bytes(b"my own edit")
    else:
        library.forget_clip(first.clips[0].id)
    before = path.read_bytes()
    second = generate(folder / "stream.mp4", library, settings, clip_duration_s=8.0)
    assert path.read_bytes() == before
    assert path not in [clip.path for clip in second.clips]
    assert all(clip.path.is_file() for clip in second.clips)
    assert any(clip.path.name == f"{path.stem}_2.mp4" for clip in second.clips)


def test_an_untouched_clip_is_replaced(folder: Path, library: Library, settings: Settings) -> None:
    first = generate(folder / "stream.mp4", library, settings)
    second = generate(folder / "stream.mp4", library, settings, clip_duration_s=8.0)
    assert {clip.path for clip in second.clips} == {clip.path for clip in first.clips}
    assert all(clip.highlight.clip.duration_s == pytest.approx(8.0) for clip in second.clips)


def test_output_is_flat(folder: Path, library: Library, settings: Settings, tmp_path: Path) -> None:
    result = generate(folder / "stream.mp4", library, settings, output=tmp_path / "flat", kinds="audio")
    names = {"debug" if path.is_dir() else path.suffix for path in (tmp_path / "flat").iterdir()}
    assert names == {".mp4", ".json", "debug"}
    assert {clip.kind for clip in result.clips} == {"audio"}
    assert result.detection.video == ()


def test_fixed_clip_duration_and_range(folder: Path, library: Library, settings: Settings) -> None:
    result = generate(
        folder / "stream.mp4", library, settings, make_clips=False, clip_duration_s=6.0, start_minute=1, end_minute=2
    )
    assert result.detection.merged
    for highlight in result.detection.merged:
        assert highlight.clip.duration_s == pytest.approx(6.0)
        assert highlight.event.start_s >= 60


def test_a_long_source_is_cut_off_and_says_so(folder: Path, library: Library) -> None:
    settings = Settings(max_stream_duration=60)
    result = generate(folder / "stream.mp4", library, settings, make_clips=False)
    assert result.analysis.timeline.end_s == 60
    assert any("MAX_STREAM_DURATION" in note for note in result.notes)


def test_frame_skip_changes_how_densely_video_is_sampled(folder: Path, library: Library) -> None:
    dense = generate(folder / "stream.mp4", library, Settings(frame_skip=6), make_clips=False, end_minute=0.5)
    sparse = generate(folder / "stream.mp4", library, Settings(frame_skip=30), make_clips=False, end_minute=0.5)
    audio, video = (
        [t.analysis.timeline.column(name) for t in (dense, sparse)] for name in ("rms", "brightness_change")
    )
    assert (audio[0] == audio[1]).all()
    assert not (video[0] == video[1]).all()


def test_lost_windows_are_told_and_tried_again(origin: Origin, library: Library, settings: Settings) -> None:
    url = origin.url("ts/240p.m3u8")
    origin.fail("/ts/240p_013.ts", 404)
    result = generate(url, library, settings, make_clips=False)
    assert result.analysis.windows["failed"] + result.analysis.windows["partial"] >= 1
    assert any("windows complete" in note for note in result.notes)
    origin.fail("/ts/240p_013.ts", 200, times=0)
    again = generate(url, library, settings, make_clips=False)
    assert again.analysis.windows["done"] == 5


def test_a_stream_of_unknown_length_is_not_read_twice(folder: Path, library: Library, settings: Settings) -> None:
    unknown = Path("unknown.mkv")
    with unknown.open("wb") as pipe:  # what cannot seek back cannot write the length
        command = [
            ffmpeg_path(None),
            "-v",
            "error",
            "-i",
            str(folder / "stream.mp4"),
            "-c",
            "copy",
            "-f",
            "matroska",
            "-",
        ]
        subprocess.run(command, stdout=pipe, check=True)
    first = generate(unknown, library, settings, make_clips=False)
    second = generate(unknown, library, settings, make_clips=False)
    assert_finds_the_events(first.detection)
    assert second.detection == first.detection
    for result in (first, second):
        done = result.analysis.windows["done"]
        assert result.notes == [f"{done} of {done} windows complete."]
    assert second.analysis.timeline.end_s == first.analysis.timeline.end_s == pytest.approx(DURATION_S, abs=1)


def test_a_silent_black_stream_yields_nothing_and_says_why(
    library: Library, settings: Settings, tmp_path: Path
) -> None:
    from tests.origin.media import ffmpeg

    dark = tmp_path / "dark.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=160x90:r=10:d=60", "-f", "lavfi", "-i", "anullsrc=d=60", "-shortest", dark
    )
    result = generate(dark, library, settings)
    assert result.detection.merged == () and not result.clips
    assert [note for note in result.notes if note.startswith("No audio highlight")]


def test_sound_without_picture_gives_m4a(library: Library, settings: Settings, tmp_path: Path) -> None:
    stream = make_stream(tmp_path / "sound.m4a", duration_s=70, events=[(30, 40)], video=False)
    result = generate(stream, library, settings)
    assert result.clips and {clip.path.suffix for clip in result.clips} == {".m4a"}
    assert any("No video" in note for note in result.notes)


def test_picture_without_sound(library: Library, settings: Settings, tmp_path: Path) -> None:
    stream = make_stream(tmp_path / "picture.mp4", duration_s=70, events=[(30, 40)], audio=False)
    result = generate(stream, library, settings, cut="copy")
    assert result.clips and {clip.kind for clip in result.clips} == {"video"}
    assert any("No audio" in note for note in result.notes)


def test_start_behind_the_end(folder: Path, library: Library, settings: Settings) -> None:
    with pytest.raises(InputError, match="before the end"):
        generate(folder / "stream.mp4", library, settings, start_minute=2, end_minute=1)
    with pytest.raises(SourceError, match="minutes long"):
        generate(folder / "stream.mp4", library, settings, start_minute=5)


def test_a_full_or_read_only_output_stops_before_the_work(folder: Path, library: Library, settings: Settings) -> None:
    Path("file").write_text("not a folder")
    with pytest.raises(LibraryError, match="folder"):
        generate(folder / "stream.mp4", library, settings, output=Path("file"))
    assert measured(library) == ()


@pytest.mark.slow
def test_five_ratings_retrain_and_blend(tmp_path: Path, library: Library) -> None:
    settings = Settings(min_training_samples=5, retrain_every=5)
    events = [(start_s, start_s + 8.0) for start_s in (12.0, 40.0, 70.0, 100.0, 130.0)]
    stream = make_stream(tmp_path / "five.mp4", duration_s=150.0, events=events)
    generate(stream, library, settings, clip_duration_s=6.0, cut="copy")
    messages: list[str] = []
    for stars in (5, 1, 4, 2, 5):
        clip = next_to_rate(library, settings)
        assert clip is not None, "the stream has five clips"
        messages.append(rate(library, settings, clip.id, stars).message)
    assert messages[3] == "Not enough ratings yet: 4 of 5."
    model = library.active_model()
    assert model is not None and model.n == 1 and Path(model.path).exists()
    for weight, share in (("auto", 1.0), (0.4, 0.4)):
        after = generate(stream, library, Settings(ml_weight=weight), make_clips=False)
        best = after.detection.audio[0]
        assert best.score == pytest.approx((1 - share) * best.heuristic_score + share * best.ml_score)
        assert any(reason.signal == "ratings" for reason in best.reasons)
        assert sum(reason.contribution for reason in best.reasons) == pytest.approx(best.score)


def test_one_clip_per_moment() -> None:
    def found(kind: str, start_s: float, score: float) -> Highlight:
        span = Span(start_s, start_s + 10)
        return Highlight(kind=kind, score=score, peak_s=start_s + 5, event=span, clip=span)  # type: ignore[arg-type]

    audio, video = (
        (found("audio", 10, 0.8), found("audio", 50, 0.5)),
        (found("video", 12, 0.9), found("video", 90, 0.4)),
    )
    merged = (found("both", 12, 0.95), audio[1], video[1])
    planned = plan_clips(merged, audio, video)
    assert [plan.stem for plan in planned] == [
        "video_highlight_1_video",
        "audio_highlight_1_audio",
        "video_highlight_2_video",
    ]
    assert [plan.kind for plan in plan_clips(merged)] == ["audio", "audio", "video"]
