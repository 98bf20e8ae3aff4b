"""The fast signals of the picture against OpenCV at full size and ffmpeg's own filters, on real recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.audio_references import correlation
from bench.video_references import ffmpeg_signals, ffmpeg_spans, opencv_signals, small_frames
from kick_clip_generator.features.derived import cuts
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import VideoFeatures
from kick_clip_generator.media.ffmpeg import ffmpeg_path
from kick_clip_generator.media.probe import probe

pytestmark = pytest.mark.slow

SHARED = Path(__file__).parents[2] / "shared"
RECORDINGS = (
    SHARED / "fixtures" / "video" / "cartoon_720p.webm",
    SHARED / "fixtures" / "video" / "applause.mp4",
    SHARED / "fixtures" / "video" / "weightlifting_320x240.mp4",
    SHARED / "bench" / "dev" / "dev_03_motion.mp4",
)
SECONDS = 30.0

# How many edges there are is a matter of scale: what is smooth at 720p is an edge over a few pixels here. Within one
# recording, which is all that detection compares, the two go together; between recordings they do not.
EDGES = 0.65


@pytest.fixture(scope="module")
def compared() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Of each signal the fast and the reference columns, a pair per recording."""
    ffmpeg = str(ffmpeg_path(None))
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for media in RECORDINGS:
        if not media.is_file():
            pytest.skip(f"the recordings to compare on ({media.name}) are not here")
        info = probe(media)
        ours = dict(zip(VIDEO_NAMES, VideoFeatures(4).push(small_frames(ffmpeg, media, SECONDS)).T, strict=True))
        theirs = opencv_signals(ffmpeg, media, SECONDS, info.width_px // 2 * 2, info.height_px // 2 * 2)
        for name, column in (theirs | ffmpeg_signals(ffmpeg, media, SECONDS)).items():
            pairs.setdefault(name, []).append((ours[name], column[: len(ours[name])]))
    return pairs


def test_every_signal_correlates_with_its_full_size_reference(compared):
    for name, pairs in compared.items():
        if name == "edge_density":
            assert all(correlation(ours, theirs) > EDGES for ours, theirs in pairs)
            continue
        ours, theirs = (np.concatenate(columns) for columns in zip(*pairs, strict=True))
        assert correlation(ours, theirs) > 0.95, name


def test_scene_strength_and_black_are_on_the_scale_of_ffmpeg(compared):
    for name in ("scene_strength", "black_ratio", "saturation"):
        for ours, theirs in compared[name]:
            assert np.nanmean(ours) == pytest.approx(np.nanmean(theirs), rel=0.08, abs=0.005), name


def test_cuts_of_a_recording_are_those_of_ffmpeg_at_every_picture():
    media = RECORDINGS[-1]
    if not media.is_file():
        pytest.skip(f"the recordings to compare on ({media.name}) are not here")
    ffmpeg = str(ffmpeg_path(None))
    values = dict(zip(VIDEO_NAMES, VideoFeatures(4).push(small_frames(ffmpeg, media, 120)).T, strict=True))
    ours, theirs = cuts(values["scene_strength"]), ffmpeg_spans(ffmpeg, media, 120)["cut"]
    assert len(theirs) >= 3
    found = sum(any(abs(cut.start_s - tick.start_s) <= 0.75 for tick in ours) for cut in theirs)
    true = sum(any(abs(cut.start_s - tick.start_s) <= 0.75 for cut in theirs) for tick in ours)
    assert found >= 0.85 * len(theirs) and true >= 0.7 * len(ours), (found, len(theirs), true, len(ours))
