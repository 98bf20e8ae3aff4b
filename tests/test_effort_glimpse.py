"""Laws of glimpses: what they measure is what the whole stream measures there, and repeats measure nothing."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features.glimpse import GlimpseFeatures
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import FRAME_ROWS, WIDTH_PX, _motion

MOTION, BRIGHTNESS, CUT = (VIDEO_NAMES.index(name) for name in ("motion", "brightness", "scene_cut"))


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (frames, FRAME_ROWS, WIDTH_PX), np.uint8)


def held(frames: np.ndarray, every: int, length: int, phase: int = 0) -> np.ndarray:
    """What glimpses of `length` frames every `every` leave of a stream."""
    at = np.arange(len(frames)) - phase
    last = np.where(at % every < length, at, at - at % every + length - 1) + phase
    return frames[np.clip(last, 0, None)]


@pytest.mark.parametrize("phase", [0, 1, 3])
def test_motion_is_that_of_the_pictures_inside_a_glimpse(phase: int) -> None:
    frames = noise(80)
    rows = GlimpseFeatures(4.0).push(held(frames, 8, 2, phase))
    known = np.flatnonzero(np.isfinite(rows[:, MOTION]))
    seconds = np.arange(phase + 1, 80, 8)
    # Nobody knows whether the first frame of a run is a repeat.
    seconds = seconds[seconds > 1]
    assert set(known) == set(seconds // 2)
    for frame in seconds:
        expected = _motion(frames[frame, :90], frames[frame - 1, :90])[0]
        assert rows[frame // 2, MOTION] == pytest.approx(expected, rel=1e-6)


def test_repeats_measure_nothing() -> None:
    rows = GlimpseFeatures(4.0).push(np.repeat(noise(1), 40, axis=0))
    assert np.isnan(rows).all()
    rows = GlimpseFeatures(4.0).push(held(noise(80), 8, 2))
    assert np.isnan(rows[:, CUT]).all()
    assert np.isfinite(rows[:, BRIGHTNESS]).sum() == 10


def test_a_picture_that_stands_still_in_a_glimpse_has_no_motion() -> None:
    keyframes = noise(10).repeat(8, axis=0)
    rows = GlimpseFeatures(4.0).push(keyframes)
    known = rows[np.isfinite(rows[:, MOTION]), MOTION]
    assert len(known) == 9 and not known.any()


@pytest.mark.parametrize("frame_rate_hz", [2.0, 4.0, 12.0])
def test_blocks_do_not_matter(frame_rate_hz: float) -> None:
    per_tick = round(frame_rate_hz / 2)
    lag = max(1, round(frame_rate_hz / 4))
    frames = held(noise(40 * per_tick), 6 * per_tick, lag + 1)
    whole = GlimpseFeatures(frame_rate_hz).push(frames)
    assert np.isfinite(whole[:, MOTION]).sum() >= 6
    pieces = GlimpseFeatures(frame_rate_hz)
    parts = [pieces.push(frames[at : at + 3 * per_tick]) for at in range(0, len(frames), 3 * per_tick)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_frames_that_are_no_whole_ticks_are_refused() -> None:
    with pytest.raises(ValueError, match="whole ticks"):
        GlimpseFeatures(4.0).push(noise(3))
