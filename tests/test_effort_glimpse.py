"""Laws of glimpses: they measure from a keyframe to the end of its glimpse, and repeats measure nothing."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features.glimpse import GlimpseFeatures
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import FRAME_ROWS, WIDTH_PX, _motion

MOTION, BRIGHTNESS, CUT = (VIDEO_NAMES.index(name) for name in ("motion", "brightness", "scene_cut"))


def noise(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (frames, FRAME_ROWS, WIDTH_PX), np.uint8)


def held(frames: np.ndarray, every: int, phase: int = 0) -> np.ndarray:
    """What glimpses every `every` frames leave of a stream: a keyframe, then repeats of the picture behind it."""
    at = np.arange(len(frames)) - phase
    return frames[np.clip(at - at % every + np.minimum(at % every, 1) + phase, 0, None)]


@pytest.mark.parametrize("every", [3, 4, 8])
@pytest.mark.parametrize("phase", [0, 1, 2])
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_motion_is_that_from_keyframe_to_end(every: int, phase: int, padding: int) -> None:
    frames = held(noise(80), every, phase)
    frames = np.concatenate([frames[:1].repeat(padding, axis=0), frames])[:80]
    rows = GlimpseFeatures(4.0).push(frames)
    ends = np.arange(phase + padding + 1, 80, every)
    # Nobody knows what the first pictures of a run are.
    ends = ends[ends > padding + every]
    known = set(np.flatnonzero(np.isfinite(rows[:, MOTION])))
    assert known >= set(ends // 2) and len(known - set(ends // 2)) <= 2
    for frame in ends:
        if sum(ends // 2 == frame // 2) == 1:
            expected = _motion(frames[frame, :90], frames[frame - 1, :90])[0]
            assert rows[frame // 2, MOTION] == pytest.approx(expected, rel=1e-6)
    # No repeat was taken for motion, nor its absence.
    assert rows[np.isfinite(rows[:, MOTION]), MOTION].min() > 50


def test_repeats_measure_nothing() -> None:
    assert np.isnan(GlimpseFeatures(4.0).push(np.repeat(noise(1), 40, axis=0))).all()
    rows = GlimpseFeatures(4.0).push(held(noise(80), 8))
    assert np.isnan(rows[:, CUT]).all()
    assert np.isfinite(rows[:, BRIGHTNESS]).sum() == 9


def test_a_picture_that_stands_still_in_a_glimpse_has_no_motion() -> None:
    rows = GlimpseFeatures(4.0).push(noise(10).repeat(8, axis=0))
    known = rows[np.isfinite(rows[:, MOTION]), MOTION]
    assert len(known) == 8 and not known.any()


@pytest.mark.parametrize("start", range(8, 24, 2))
def test_a_run_that_starts_elsewhere_measures_the_same_from_its_second_glimpse_on(start: int) -> None:
    frames = held(noise(80), 8, 3)
    whole = GlimpseFeatures(4.0).push(frames)
    late = GlimpseFeatures(4.0).push(frames[start:])
    second = (start // 2) + 8
    np.testing.assert_array_equal(late[second - start // 2 :], whole[second:])
    assert np.isfinite(late[:8, MOTION]).any()


@pytest.mark.parametrize("frame_rate_hz", [2.0, 4.0, 12.0])
def test_blocks_do_not_matter(frame_rate_hz: float) -> None:
    per_tick = round(frame_rate_hz / 2)
    frames = held(noise(40 * per_tick), 6 * per_tick)
    whole = GlimpseFeatures(frame_rate_hz).push(frames)
    assert np.isfinite(whole[:, MOTION]).sum() >= 5
    pieces = GlimpseFeatures(frame_rate_hz)
    parts = [pieces.push(frames[at : at + 3 * per_tick]) for at in range(0, len(frames), 3 * per_tick)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_frames_that_are_no_whole_ticks_are_refused() -> None:
    with pytest.raises(ValueError, match="whole ticks"):
        GlimpseFeatures(4.0).push(noise(3))
