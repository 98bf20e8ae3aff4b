"""Laws of the analysis effort: what is chosen, which glimpses tell too little, and what they may say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings, load_settings
from kick_clip_generator.core.timeline import Timeline, first_tick_at
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.pipeline.effort import (
    FULL,
    GLIMPSES,
    RARE_GLIMPSES,
    REACH_S,
    REFERENCES,
    choose_effort,
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
        ("auto", rendition(284, 160, 30), False, REFERENCES),
        ("auto", rendition(640, 360, 30), False, REFERENCES),
        ("auto", rendition(1280, 720, 60), False, GLIMPSES),
        ("auto", rendition(1280, 720), False, REFERENCES),
        ("full", rendition(284, 160, 30), False, FULL),
        ("auto", rendition(1920, 1080, 25), False, GLIMPSES),
        ("auto", rendition(1920, 1080, 60), False, GLIMPSES),
        ("auto", rendition(1920, 1080, 60), True, REFERENCES),
        ("auto", rendition(284, 160, 30), True, REFERENCES),
        ("auto", rendition(0, 0), False, REFERENCES),
        ("full", rendition(1920, 1080, 60), False, FULL),
        ("keyframes", rendition(284, 160, 30), False, RARE_GLIMPSES),
        ("keyframes", rendition(1920, 1080, 60), True, REFERENCES),
        ("keyframes", rendition(0, 0, has_video=False), False, FULL),
    ],
)
def test_what_a_setting_means(wanted: str, of: Rendition, live: bool, expected: object) -> None:
    assert choose_effort(source_of(of, live=live), of, settings(wanted)) == expected


def glimpsed(duration_s: float, *, every_s: float = 2.0) -> Timeline:
    """A calm stream of which the picture is known every few seconds."""
    rng = np.random.default_rng(1)
    timeline = Timeline.unknown(NAMES, 0, first_tick_at(duration_s))
    for name in AUDIO_NAMES:
        timeline.column(name)[:] = rng.normal(0, 0.1, len(timeline))
    glimpses = np.arange(len(timeline)) * 0.5 % every_s == 0
    for name in ("motion", "motion_variance", "edge_density"):
        timeline.column(name)[glimpses] = rng.random(glimpses.sum())
    return timeline


@pytest.mark.parametrize(("every_s", "enough"), [(1, "auto"), (2, "auto"), (4, "keyframes"), (5, ""), (240, "")])
def test_rare_glimpses_tell_too_little(every_s: float, enough: str) -> None:
    distance_s = glimpse_distance_s(glimpsed(480, every_s=every_s))
    assert distance_s == every_s
    assert (distance_s <= GLIMPSES.apart_s) == (enough == "auto")
    assert (distance_s <= RARE_GLIMPSES.apart_s) == bool(enough)


def test_a_glimpse_speaks_for_what_is_near_and_nothing_else() -> None:
    timeline = glimpsed(120, every_s=30)
    full = filled(timeline)
    for name in VIDEO_NAMES:
        given, taken = timeline.column(name), full.column(name)
        known = np.flatnonzero(np.isfinite(given))
        # None is near another here, so each speaks for itself.
        np.testing.assert_array_equal(taken[known], given[known])
        for tick in range(len(timeline)):
            near = known[np.abs(known - tick) * 0.5 <= REACH_S] if len(known) else []
            assert np.isfinite(taken[tick]) == bool(len(near)), name
    for name in AUDIO_NAMES:
        np.testing.assert_array_equal(full.column(name), timeline.column(name))


@pytest.mark.parametrize("every_s", [1.0, 2.0, 4.0])
def test_one_glimpse_of_a_cut_is_no_motion_and_two_of_motion_are(every_s: float) -> None:
    timeline = glimpsed(60, every_s=every_s)
    motion = timeline.column("motion")
    known = np.flatnonzero(np.isfinite(motion))
    motion[known] = 1
    motion[known[5]] = 50
    assert filled(timeline).column("motion").max() == 1
    motion[known[6]] = 50
    assert (filled(timeline).column("motion")[known[5] : known[6] + 1] == 50).all()


def test_straight_lines_lie_between_glimpses() -> None:
    timeline = glimpsed(60)
    motion = timeline.column("motion")
    at = np.arange(len(timeline))
    motion[::4] = at[::4]
    taken = filled(timeline).column("motion")
    # Its first and last glimpse have one neighbor each, and nothing is known beyond them.
    np.testing.assert_allclose(taken[4 : at[::4][-1] - 3], at[4 : at[::4][-1] - 3])
    assert np.isfinite(taken).all()


def test_without_glimpses_their_distance_is_infinite() -> None:
    assert glimpse_distance_s(Timeline.unknown(NAMES, 0, 100)) == math.inf


def test_rows_are_written_as_far_as_they_know() -> None:
    timeline = Timeline(("a", "b"), np.full((10, 2), 1, np.float32), 100)
    overlay(timeline, 108, np.array([[2, np.nan], [2, 2], [2, 2]], np.float32))
    overlay(timeline, 98, np.array([[3, 3], [3, 3], [3, 3]], np.float32))
    overlay(timeline, 200, np.array([[4, 4]], np.float32))
    expected = np.full((10, 2), 1, np.float32)
    expected[0], expected[8], expected[9] = 3, (2, 1), 2
    np.testing.assert_array_equal(timeline.values, expected)
