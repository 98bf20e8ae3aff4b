"""Laws of area, saturation, flashes, scene strength, black, change and overlays on made pictures."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import VideoFeatures
from tests.test_features_video import HEIGHT_PX, RATES_HZ, WIDTH_PX, features, panning, picture, texture


def test_a_pan_moves_monotonically_with_its_speed():
    scene = 120 + 80 * np.sin(2 * np.pi * np.arange(WIDTH_PX) / WIDTH_PX)
    means = {"motion": [], "motion_area": [], "picture_change": []}
    for pixels in range(0, 17, 2):
        values = features([picture(np.roll(scene, step * pixels)) for step in range(24)])
        for name, column in means.items():
            column.append(np.mean(values[name][4:]))
    assert np.all(np.diff(means["motion"]) > 1)
    assert np.all(np.diff(means["picture_change"]) > 0.5)
    assert np.all(np.diff(means["motion_area"]) >= 0)
    assert means["motion_area"][0] == 0 and means["motion_area"][-1] > 0.7


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_motion_area_is_the_share_that_moves_and_no_cut(share):
    frames = []
    for i in range(24):
        luma = np.full((HEIGHT_PX, WIDTH_PX), 100)
        luma[:, : int(WIDTH_PX * share)] += 40 * (i % 2)
        frames.append(picture(luma))
    assert features(frames)["motion_area"][3:] == pytest.approx(share)
    grain = [picture(100 + np.random.default_rng(i).integers(-5, 6, (HEIGHT_PX, WIDTH_PX))) for i in range(24)]
    assert np.all(features(grain)["motion_area"][3:] == 0)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_one_hard_cut_raises_scene_strength_on_one_tick_and_motion_on_none(rate_hz):
    per_tick = rate_hz // 2
    for cut_at in {rate_hz * 4 + offset for offset in (0, per_tick // 2, per_tick - 1)}:
        values = features([picture(texture(1 if i < cut_at else 2)) for i in range(rate_hz * 6)], rate_hz)
        strength = values["scene_strength"]
        assert np.flatnonzero(np.nan_to_num(strength) > 0).tolist() == [cut_at // per_tick]
        expected = np.abs(texture(1) - texture(2)).mean() / 100
        assert np.nanmax(strength) == pytest.approx(min(expected, 1), rel=1e-5)
        for name in ("motion", "motion_area", "overlay_change"):
            assert np.nanmax(values[name]) == 0, name
        assert np.flatnonzero(np.nan_to_num(values["picture_change"]) > 0).tolist() == [cut_at // per_tick]


def test_steady_motion_has_no_scene_strength():
    scene = np.abs((np.arange(WIDTH_PX) * 4) % 320 - 160) + 40
    values = features([picture(np.roll(scene, step * 5)) for step in range(32)])
    assert np.nanmax(values["scene_strength"]) < 0.05 and np.nanmean(values["motion"]) > 10


@pytest.mark.parametrize("rate_hz", [2, 4, 12, 60])
@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_one_jump_up_and_back(rate_hz, length):
    """Of one and two pictures, where the rate is 4 Hz: a quarter and half a second."""
    at = rate_hz * 4
    pictures = max(1, rate_hz * length // 4)
    if pictures > rate_hz // 2:
        pytest.skip("at 2 Hz two pictures last a second, which is no flash")
    lit = range(at, at + pictures)
    values = features([picture(150 if i in lit else 40) for i in range(rate_hz * 8)], rate_hz)
    assert np.nanmax(values["flash"]) == pytest.approx(110)
    # It is told half a second late, on as many ticks as it lasts.
    assert set(np.flatnonzero(np.nan_to_num(values["flash"]) > 0)) <= {9, 10}


@pytest.mark.parametrize(
    "lights", [[40] * 20 + [150] * 20, [150] * 20 + [20] * 2 + [150] * 18, list(range(40, 200, 4))]
)
def test_light_that_stays_and_a_blink_and_a_fade_are_no_flashes(lights):
    assert np.nanmax(features([picture(light) for light in lights])["flash"]) == 0


def test_saturation_is_the_distance_from_gray():
    gray, red = features([picture(80)] * 4), features([picture(80, 128 - 30, 128 + 40)] * 4)
    assert np.all(gray["saturation"] == 0)
    assert red["saturation"] == pytest.approx(50)


def test_black_is_a_tenth_above_black_in_the_darkest_picture():
    half = np.full((HEIGHT_PX, WIDTH_PX), 37)
    half[:45] = 38
    assert np.all(features([picture(37)] * 4)["black_ratio"] == 1)
    assert np.all(features([picture(38)] * 4)["black_ratio"] == 0)
    assert features([picture(half)] * 4)["black_ratio"] == pytest.approx(0.5)
    assert features([picture(200), picture(16), picture(200), picture(200)])["black_ratio"].tolist() == [1, 0]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_picture_change_adds_up_over_the_tick_whatever_the_rate(rate_hz):
    frames = [picture(40 + 12 * i / rate_hz) for i in range(rate_hz * 6)]
    # 12 levels of luma a second, 6 a tick; a third of the samples is chroma, which stays.
    assert features(frames, rate_hz)["picture_change"][2:] == pytest.approx(4, abs=0.7)


def alert(i: int, first: int, last: int, background: list[np.ndarray]) -> np.ndarray:
    frame = background[i].copy()
    if first <= i < last:
        frame[:90][10:28, 20:100] = 230
    return frame


AREA = 18 * 80 / (WIDTH_PX * HEIGHT_PX)


@pytest.mark.parametrize("rate_hz", [2, 4, 12])
def test_an_alert_comes_up_and_goes_on_one_tick_each(rate_hz):
    per_tick = rate_hz // 2
    still = [picture(np.clip(texture(1), 30, 180))] * (rate_hz * 12)
    for first in range(rate_hz * 4, rate_hz * 4 + per_tick):
        values = features([alert(i, first, first + rate_hz * 3, still) for i in range(rate_hz * 12)], rate_hz)
        change = np.nan_to_num(values["overlay_change"])
        assert len(np.flatnonzero(change > 0)) == 2
        assert change.max() == pytest.approx(AREA, rel=0.05)
        assert np.flatnonzero(change)[0] - first // per_tick in (1, 2)


def test_motion_cuts_and_what_comes_and_goes_are_no_overlays():
    assert np.nanmax(features(panning(10, 4, 60))["overlay_change"]) < 0.02
    still = [picture(np.clip(texture(1), 30, 180))] * 40
    assert np.nanmax(features([alert(i, 20, 21, still) for i in range(40)])["overlay_change"]) == 0
    cut = [picture(texture(1 if i < 20 else 2)) for i in range(40)]
    assert np.nanmax(features(cut)["overlay_change"]) == 0


def test_an_alert_over_a_moving_game_is_seen():
    moving = panning(12, 4, 60)
    border = [frame.copy() for frame in moving]
    for frame in border:
        frame[:90][:40] = 60
    values = features([alert(i, 20, 48, border) for i in range(48)])
    assert np.nanmax(values["overlay_change"]) == pytest.approx(AREA, rel=0.1)


def test_blocks_of_any_length_give_the_same_bits_and_an_empty_one_gives_none():
    rng = np.random.default_rng(3)
    frames = np.stack(panning(12, 4))
    frames[20:24] = rng.integers(0, 255, frames[20:24].shape, np.uint8)
    frames[30:] = frames[30]
    whole = VideoFeatures(4).push(frames)
    assert VideoFeatures(4).push(frames[:0]).shape == (0, len(VIDEO_NAMES))
    for step in (2, 6, 14):
        extractor = VideoFeatures(4)
        parts = [extractor.push(frames[start : start + step].copy()) for start in range(0, len(frames), step)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
