"""Laws of the analysis effort: what is chosen, which windows are looked at twice, and what glimpses may say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kick_clip_generator.core.records import Rendition, Source, plan_windows
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.core.timeline import Timeline, first_tick_at
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.highlights.detect import DetectionConfig
from kick_clip_generator.pipeline.effort import (
    DENSE_SHARE,
    FEW_WINDOWS,
    FULL,
    GLIMPSES,
    REACH_S,
    REFERENCES,
    choose_effort,
    dense_windows,
    filled,
    glimpse_distance_s,
    overlay,
)

HOUR_S = 3600.0


def source_of(rendition: Rendition, *, live: bool = False) -> Source:
    return Source("x", "file", "x", HOUR_S, "x", (rendition,), live=live)


def rendition(width_px: int, height_px: int, fps: float = math.nan, has_video: bool | None = None) -> Rendition:
    return Rendition("x", width_px, height_px, fps, has_video=has_video)


def settings(effort: str) -> Settings:
    return load_settings({"analysis_effort": effort})


@pytest.mark.parametrize(
    ("wanted", "of", "live", "expected"),
    [
        ("auto", rendition(284, 160, 30), False, FULL),
        ("auto", rendition(640, 360, 30), False, FULL),
        ("auto", rendition(1280, 720, 60), False, REFERENCES),
        ("auto", rendition(1280, 720), False, REFERENCES),
        ("auto", rendition(1920, 1080, 60), False, REFERENCES),
        ("auto", rendition(0, 0), False, FULL),
        ("full", rendition(1920, 1080, 60), False, FULL),
        ("keyframes", rendition(284, 160, 30), False, GLIMPSES),
        ("keyframes", rendition(1920, 1080, 60), True, REFERENCES),
        ("keyframes", rendition(0, 0, has_video=False), False, FULL),
    ],
)
def test_what_a_setting_means(wanted: str, of: Rendition, live: bool, expected: object) -> None:
    assert choose_effort(source_of(of, live=live), of, settings(wanted)) == expected


def glimpsed(
    duration_s: float, *, every_s: float = 2.0, audio_at_s: float = math.nan, video_at_s: float = math.nan
) -> Timeline:
    """A calm stream of which the picture is known every few seconds; ten seconds of roar, ten of motion."""
    rng = np.random.default_rng(1)
    timeline = Timeline.unknown(NAMES, 0, first_tick_at(duration_s))
    at_s = np.arange(len(timeline)) * 0.5
    roar, moving = (np.where(abs(at_s - middle) < 5, 1.0, 0.0) for middle in (audio_at_s, video_at_s))
    for name in AUDIO_NAMES:
        timeline.column(name)[:] = rng.normal(0, 0.1, len(timeline))
    for name, calm, loud in (("rms_db", -40, 25), ("presence_db", -50, 25), ("voice_band_ratio", 0.3, 0.5)):
        timeline.column(name)[:] += calm + loud * roar
    glimpses = at_s % every_s == 0
    for name, level in (("motion", 20), ("motion_variance", 300), ("edge_density", 0.1)):
        column = level * (0.1 + 0.02 * rng.random(len(timeline)) + moving)
        timeline.column(name)[glimpses] = column[glimpses]
    return timeline


def windows_of(duration_s: float, start_s: float = 0.0) -> list:
    return plan_windows(start_s, duration_s, length_s=30, overlap_s=5)


@pytest.mark.parametrize("medium", ["audio", "video"])
@pytest.mark.parametrize("at_s", [333.0, 1800.0, 3321.0])
def test_what_stands_out_is_looked_at_again(medium: str, at_s: float) -> None:
    timeline = glimpsed(HOUR_S, **{f"{medium}_at_s": at_s})
    windows = windows_of(HOUR_S)
    dense = dense_windows(timeline, windows, DetectionConfig(max_audio=1, max_video=1))
    assert any(window.owned.start_s <= at_s < window.owned.end_s for window in dense)
    assert dense == sorted(dense, key=lambda window: window.n)
    assert len(dense) <= DENSE_SHARE * len(windows)


def test_all_is_looked_at_where_glimpses_tell_little() -> None:
    windows = windows_of(HOUR_S)
    for timeline in (glimpsed(HOUR_S, every_s=12), glimpsed(HOUR_S, every_s=2 * HOUR_S)):
        assert dense_windows(timeline, windows, DetectionConfig()) == windows
    few = windows_of(100)
    assert len(few) <= FEW_WINDOWS and dense_windows(glimpsed(100), few, DetectionConfig()) == few


def test_windows_behind_the_end_of_a_stream_do_not_count() -> None:
    timeline = glimpsed(600, audio_at_s=300)
    dense = dense_windows(timeline, windows_of(36000), DetectionConfig())
    assert dense == dense_windows(timeline, windows_of(600 + 5), DetectionConfig())


def test_a_glimpse_speaks_for_what_is_near_and_nothing_else() -> None:
    timeline = glimpsed(120, every_s=30)
    full = filled(timeline)
    for name in VIDEO_NAMES:
        given, taken = timeline.column(name), full.column(name)
        known = np.flatnonzero(np.isfinite(given))
        np.testing.assert_array_equal(taken[known], given[known])
        for tick in range(len(timeline)):
            near = known[np.abs(known - tick) * 0.5 <= REACH_S] if len(known) else []
            assert np.isfinite(taken[tick]) == bool(len(near)), name
    for name in AUDIO_NAMES:
        np.testing.assert_array_equal(full.column(name), timeline.column(name))


def test_the_distance_of_glimpses() -> None:
    assert glimpse_distance_s(glimpsed(120, every_s=2)) == 2
    assert glimpse_distance_s(Timeline.unknown(NAMES, 0, 100)) == math.inf


def test_a_dense_look_takes_the_place_of_glimpses_as_far_as_it_saw() -> None:
    timeline = Timeline(("a", "b"), np.full((10, 2), 1, np.float32), 100)
    overlay(timeline, 108, np.array([[2, np.nan], [2, 2], [2, 2]], np.float32))
    overlay(timeline, 98, np.array([[3, 3], [3, 3], [3, 3]], np.float32))
    overlay(timeline, 200, np.array([[4, 4]], np.float32))
    expected = np.full((10, 2), 1, np.float32)
    expected[0], expected[8], expected[9] = 3, (2, 1), 2
    np.testing.assert_array_equal(timeline.values, expected)
