"""Media as strangers have them: whatever rate, shape or codec, an analysis gives values or says what is unknown."""

from __future__ import annotations

import functools
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from analyses import analyze_file

from kick_clip_generator.features.registry import AUDIO_NAMES, FEATURES, NAMES, VIDEO_NAMES
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.pipeline.analyze import Analysis

pytestmark = pytest.mark.slow

LENGTH_S = 9
CONTEXT_TICKS = {feature.name: int(np.ceil(feature.context_s * 2)) for feature in FEATURES}
# Unknown where nobody speaks, and where nothing beats.
MAY_BE_UNKNOWN = {"pitch", "voiced_db", "pitch_std", "pitch_jitter", "tempo"}

SOUND = ["-f", "lavfi", "-i", "anoisesrc=color=pink:amplitude=0.3:sample_rate=48000,tremolo=f=0.5:d=0.7"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p"]
AAC = ["-c:a", "aac"]
HDR = ["-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc"]


@functools.cache
def encoders() -> set[str]:
    words = [str(ffmpeg_path(None)), "-v", "error", "-encoders"]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def picture(size: str = "320x180", rate: str = "30") -> list[str]:
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}"]


def ffmpeg(*words: str) -> None:
    subprocess.run([str(ffmpeg_path(None)), "-v", "error", "-nostdin", "-y", *words], check=True)


def made(target: Path, *words: str, length_s: float = LENGTH_S) -> Path:
    """Media by the bundled ffmpeg; skips where it lacks the encoder."""
    lacking = [name for option, name in itertools.pairwise(words) if option in ("-c:v", "-c:a")]
    lacking = [name for name in lacking if name not in encoders()]
    if lacking:
        pytest.skip(f"this ffmpeg has no encoder {lacking[0]}")
    ffmpeg(*words, "-t", str(length_s), str(target))
    return target


def assert_known(analysis: Analysis, *, audio: bool = True, video: bool = True) -> None:
    """All values of the media that are there are finite once their context is, and those of the others unknown."""
    timeline = analysis.timeline
    assert dict(analysis.windows) == {"done": 1, "partial": 0, "failed": 0}
    # Containers round their length, and the last tick needs a whole half second of media.
    values = {name: timeline.column(name)[CONTEXT_TICKS[name] : -1] for name in NAMES}
    for names, there in ((AUDIO_NAMES, audio), (VIDEO_NAMES, video)):
        for name in names:
            if not there:
                assert np.isnan(timeline.column(name)).all(), name
            elif name not in MAY_BE_UNKNOWN:
                assert np.isfinite(values[name]).all(), name
    assert not np.isinf(timeline.values).any()
    scores = [highlight.score for highlight in analysis.detection.merged]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_sound_of_any_rate_and_layout(tmp_path: Path, rate_hz: int, layout: str) -> None:
    shape = ["-af", f"aformat=channel_layouts={layout}", "-ar", str(rate_hz)]
    found = analyze_file(made(tmp_path / "a.mp4", *picture(), *SOUND, *H264, *AAC, *shape), tmp_path)
    assert_known(found)
    # Pink noise under a tremolo, whatever carried it.
    level = found.timeline.column("rms_db")[2:-1]
    assert -45 < np.median(level) < -8 and np.ptp(level) > 3


@pytest.mark.parametrize("size", ["321x181", "2x2", "90x160", "2x300", "640x64"])
def test_pictures_of_any_size(tmp_path: Path, size: str) -> None:
    # VP9 and FFV1 take odd sizes as they are; H.264 takes them in 4:4:4.
    coded = ["-c:v", "ffv1", "-pix_fmt", "yuv444p"]
    assert_known(analyze_file(made(tmp_path / "a.mkv", *picture(size), *SOUND, *coded, *AAC), tmp_path))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pictures(tmp_path: Path, turn: int) -> None:
    flat = made(tmp_path / "flat.mp4", *picture(), *SOUND, *H264, *AAC)
    turned = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation:v:0", str(turn), "-i", str(flat), "-c", "copy", str(turned))
    assert_known(analyze_file(turned, tmp_path))


def test_a_frame_rate_that_varies(tmp_path: Path) -> None:
    jumpy = ["-vf", "select='lt(mod(n,90),45)+not(mod(n,11))'", "-fps_mode", "vfr"]
    assert_known(analyze_file(made(tmp_path / "a.mp4", *picture(), *SOUND, *H264, *AAC, *jumpy), tmp_path))


@pytest.mark.parametrize("rate", ["1", "24000/1001", "144"])
def test_frame_rates_from_one_to_144(tmp_path: Path, rate: str) -> None:
    assert_known(analyze_file(made(tmp_path / "a.mp4", *picture(rate=rate), *SOUND, *H264, *AAC), tmp_path))


@pytest.mark.parametrize(
    ("suffix", "coded"),
    [
        pytest.param("mp4", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"], id="hevc"),
        pytest.param("mp4", ["-c:v", "libsvtav1", "-preset", "12"], id="av1"),
        pytest.param("webm", ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"], id="vp9"),
        pytest.param(
            "mp4",
            ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", *HDR],
            id="hevc 10-bit hdr",
        ),
        pytest.param("mp4", ["-c:v", "libsvtav1", "-preset", "12", *HDR], id="av1 10-bit hdr"),
        pytest.param("mkv", ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p10le"], id="h264 4:4:4"),
        pytest.param("mkv", ["-c:v", "libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme"], id="interlaced"),
        pytest.param("avi", ["-c:v", "mpeg4"], id="mpeg4"),
        pytest.param("mkv", ["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"], id="mjpeg"),
    ],
)
def test_codecs_and_depths(tmp_path: Path, suffix: str, coded: list[str]) -> None:
    sound = ["-c:a", "libopus"] if suffix == "webm" else ["-c:a", "libmp3lame"] if suffix == "avi" else AAC
    found = analyze_file(made(tmp_path / f"a.{suffix}", *picture(), *SOUND, *coded, *sound), tmp_path)
    assert_known(found)
    assert (found.timeline.column("motion")[2:-1] > 0).all()


@pytest.mark.parametrize("name", ["a.m4a", "a.mp3", "a.wav", "a.flac", "a.ogg"])
def test_sound_alone(tmp_path: Path, name: str) -> None:
    assert_known(analyze_file(made(tmp_path / name, *SOUND), tmp_path), video=False)


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv"])
def test_pictures_alone(tmp_path: Path, name: str) -> None:
    assert_known(analyze_file(made(tmp_path / name, *picture(), *H264), tmp_path), audio=False)


@pytest.mark.parametrize("length_s", [3, 0.7])
def test_the_shortest_files(tmp_path: Path, length_s: float) -> None:
    found = analyze_file(made(tmp_path / "a.mp4", *picture(), *SOUND, *H264, *AAC, length_s=length_s), tmp_path)
    assert len(found.timeline) == int(length_s * 2)
    assert np.isfinite(found.timeline.column("rms_db")).any() and not np.isinf(found.timeline.values).any()


def test_silence_and_a_still_picture(tmp_path: Path) -> None:
    still = ["-f", "lavfi", "-i", "color=black:size=320x180:rate=30"]
    quiet = ["-f", "lavfi", "-i", "anullsrc=sample_rate=48000:channel_layout=stereo"]
    found = analyze_file(made(tmp_path / "a.mp4", *still, *quiet, *H264, *AAC), tmp_path)
    assert not np.isinf(found.timeline.values).any()
    assert (found.timeline.column("motion")[2:-1] == 0).all()
    assert (found.timeline.column("black_ratio")[:-1] == 1).all()
    # Digital silence has no spectrum, and its level is not minus infinity.
    assert np.isfinite(found.timeline.column("rms_db")[:-1]).all()


def test_sound_that_begins_late_and_ends_early(tmp_path: Path) -> None:
    video, audio = made(tmp_path / "v.mp4", *picture(), *H264), made(tmp_path / "a.m4a", *SOUND, *AAC, length_s=3)
    target = tmp_path / "both.mkv"
    ffmpeg(
        "-i", str(video), "-itsoffset", "2.3", "-i", str(audio), "-map", "0:v", "-map", "1:a", "-c", "copy", str(target)
    )
    timeline = analyze_file(target, tmp_path).timeline
    assert np.isfinite(timeline.column("motion")[2:-1]).all()
    level = timeline.column("rms_db")
    assert np.isfinite(level[6:10]).all() and np.median(level[6:10]) > -45
    # What was never there is silence or unknown, and no sound.
    assert not (level[:4] > -80).any() and not (level[12:] > -80).any()


def test_a_tone_and_a_beat_survive_their_codec(tmp_path: Path) -> None:
    (tmp_path / "tone").mkdir()
    (tmp_path / "beat").mkdir()
    tone = ["-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=44100"]
    beat = ["-f", "lavfi", "-i", "aevalsrc='0.8*sin(2*PI*1500*t)*lt(mod(t,0.5),0.02)':s=48000"]
    found = analyze_file(made(tmp_path / "tone.mp4", *picture(), *tone, *H264, *AAC), tmp_path / "tone")
    assert found.timeline.column("spectral_centroid")[1:-2] == pytest.approx(1000, abs=15)
    found = analyze_file(made(tmp_path / "beat.mp4", *picture(), *beat, *H264, *AAC), tmp_path / "beat")
    assert found.timeline.column("tempo")[10:-1] == pytest.approx(120, abs=1)
