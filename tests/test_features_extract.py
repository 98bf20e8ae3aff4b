"""Windowed equals whole, and missing is NaN, over all features."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features.extract import FeatureExtractor
from kick_clip_generator.features.feature import Feature
from kick_clip_generator.features.registry import AUDIO_NAMES, EXTENDED_NAMES, FEATURES, NAMES, VIDEO_NAMES

CORE = FEATURES[: len(NAMES)]

TICKS = 60
LEAD_IN_TICKS = 10


@pytest.fixture(scope="module")
def pcm() -> np.ndarray:
    """Noise that swells, a beat, a hum that glides, and two seconds of digital silence."""
    rng = np.random.default_rng(0)
    time_s = np.arange(TICKS * 8000) / 16000
    hum = sum(np.sin(2 * np.pi * k * (140 * time_s + 2 * time_s**2)) for k in range(1, 8))
    sound = 600 * hum + rng.standard_normal(len(time_s)) * (500 + 400 * np.sin(time_s)) + 8000 * (time_s % 0.5 < 0.02)
    sound[8000 * 30 : 8000 * 34] = 0
    return sound.astype(np.int16)


def moving(frame_rate_hz: int) -> np.ndarray:
    """A textured picture that moves and sometimes cuts."""
    rng = np.random.default_rng(1)
    scenes = rng.integers(0, 255, (4, 135, 160), np.uint8)
    count = int(TICKS * TICK_S * frame_rate_hz)
    return np.stack([np.roll(scenes[i * 4 // count], i * 8 // frame_rate_hz, axis=1) for i in range(count)])


def push(pcm: np.ndarray, frames: np.ndarray, rate_hz: int, blocks: list[int], first_tick: int = 0) -> np.ndarray:
    extractor, per_tick, rows = FeatureExtractor(rate_hz), rate_hz // 2, []
    for ticks in itertools.cycle(blocks):
        stop = min(first_tick + ticks, TICKS)
        if stop == first_tick:
            return np.concatenate(rows)
        media = pcm[first_tick * 8000 : stop * 8000], frames[first_tick * per_tick : stop * per_tick]
        rows.append(extractor.push(*media, ticks=stop - first_tick))
        first_tick = stop


@pytest.mark.parametrize("rate_hz", [2, 4, 20])
def test_blocks_of_any_length_give_the_same_bits(pcm, rate_hz):
    frames = moving(rate_hz)
    whole = push(pcm, frames, rate_hz, [TICKS])
    assert whole.dtype == np.float32 and whole.shape == (TICKS, len(NAMES))
    for blocks in ([1], [3], [7, 1, 13], [32]):
        np.testing.assert_array_equal(push(pcm, frames, rate_hz, blocks), whole)


@pytest.mark.parametrize("rate_hz", [2, 4, 20])
def test_five_seconds_of_lead_in_make_any_start_exact(pcm, rate_hz):
    frames = moving(rate_hz)
    whole = push(pcm, frames, rate_hz, [TICKS])
    for start in (1, 14, 29, 33):
        run = push(pcm, frames, rate_hz, [25], first_tick=start)
        np.testing.assert_array_equal(run[LEAD_IN_TICKS:], whole[start + LEAD_IN_TICKS :])


def test_every_feature_is_exact_after_its_declared_context(pcm):
    frames = moving(2)
    whole = push(pcm, frames, 2, [TICKS])
    start = 14
    run = push(pcm, frames, 2, [TICKS], first_tick=start)
    for column, feature in enumerate(CORE):
        ticks = int(np.ceil(feature.context_s / TICK_S))
        np.testing.assert_array_equal(run[ticks:, column], whole[start + ticks :, column], feature.name)


def test_missing_media_are_nan(pcm):
    audio = [NAMES.index(name) for name in AUDIO_NAMES]
    video = [NAMES.index(name) for name in VIDEO_NAMES]
    frames = moving(4)
    no_pcm, no_frames = pcm[:0], frames[:0]
    assert np.isnan(FeatureExtractor(4).push(no_pcm, no_frames, ticks=3)).all()
    only_sound = FeatureExtractor(4).push(pcm[: 20 * 8000], no_frames, ticks=20)
    assert np.isnan(only_sound[:, video]).all()
    assert np.isfinite(only_sound[10:, audio]).all()
    only_picture = FeatureExtractor(4).push(no_pcm, frames[: 20 * 2], ticks=20)
    assert np.isnan(only_picture[:, audio]).all()
    assert np.isfinite(only_picture[2:, video]).all()


def test_a_medium_that_falls_short_starts_afresh(pcm):
    frames = moving(4)
    extractor = FeatureExtractor(4)
    short = extractor.push(pcm[: 5 * 8000], frames[:20], ticks=10)
    assert np.isnan(short[5:, NAMES.index("rms")]).all()
    again = extractor.push(pcm[: 10 * 8000], frames[20:40], ticks=10)
    audio = [NAMES.index(name) for name in AUDIO_NAMES]
    np.testing.assert_array_equal(again[:, audio], FeatureExtractor(4).push(pcm[: 10 * 8000], frames[:0], 10)[:, audio])
    # The picture had no gap: its first tick knows the motion before it.
    assert np.isfinite(again[0, NAMES.index("motion")])


def test_more_media_than_ticks_are_refused(pcm):
    with pytest.raises(ValueError, match="at most 1 ticks"):
        FeatureExtractor(4).push(pcm[:16000], np.zeros((2, 135, 160), np.uint8), ticks=1)


def test_ratios_stay_in_their_range(pcm):
    rows = push(pcm, moving(4), 4, [TICKS])
    for column, feature in enumerate(CORE):
        if feature.unit == "":
            assert np.nanmin(rows[:, column]) >= feature.low and np.nanmax(rows[:, column]) <= feature.high, (
                feature.name
            )


def test_names_are_unique_and_every_one_is_explained():
    names = NAMES + EXTENDED_NAMES
    assert len(set(names)) == len(names) and [feature.name for feature in FEATURES] == list(names)
    assert NAMES == AUDIO_NAMES + VIDEO_NAMES
    for feature in FEATURES:
        assert feature.meaning and feature.source
        assert (feature.tier == "core") == (feature.name in NAMES)


def test_the_timeline_of_ten_hours_fits_into_memory():
    # 52 columns are 15 MB; more would not leave room for detection in the 60 MB that an analysis may take.
    assert len(NAMES) <= 52


@pytest.mark.parametrize("change", [{"low": 1.0}, {"context_s": 6.0}, {"context_s": -1.0}, {"price_s_per_h": -1.0}])
def test_a_feature_that_makes_no_sense_is_refused(change):
    facts = {"low": 0.0, "high": 1.0, "context_s": 0.0, "price_s_per_h": 0.0} | change
    with pytest.raises(ValueError, match="expected"):
        Feature(name="f", unit="", meaning="m", source="s", medium="audio", **facts)
