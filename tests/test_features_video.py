"""Laws of the video signals on made pictures."""

from __future__ import annotations

import numpy as np
import pytest

from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import VideoFeatures

WIDTH_PX, HEIGHT_PX = 160, 90
RATES_HZ = [2, 4, 6, 10, 12, 20, 30, 60]


def picture(luma: np.ndarray | int, u: np.ndarray | int = 128, v: np.ndarray | int = 128) -> np.ndarray:
    """One yuv420p frame as ffmpeg writes it: the planes one after the other."""
    planes = [
        np.broadcast_to(luma, (HEIGHT_PX, WIDTH_PX)),
        np.broadcast_to(u, (HEIGHT_PX // 2, WIDTH_PX // 2)),
        np.broadcast_to(v, (HEIGHT_PX // 2, WIDTH_PX // 2)),
    ]
    return np.concatenate([plane.ravel() for plane in planes]).astype(np.uint8).reshape(135, 160)


def features(frames: list[np.ndarray], frame_rate_hz: float = 4) -> dict[str, np.ndarray]:
    return dict(zip(VIDEO_NAMES, VideoFeatures(frame_rate_hz).push(np.stack(frames)).T, strict=True))


def texture(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(30, 220, (9, 16))
    return np.kron(blocks, np.ones((10, 10)))


def panning(duration_s: float, frame_rate_hz: float, pixels_per_s: int = 60) -> list[np.ndarray]:
    scene = texture(5)
    steps = range(int(duration_s * frame_rate_hz))
    return [picture(np.roll(scene, int(step * pixels_per_s / frame_rate_hz), axis=1)) for step in steps]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_still_picture_does_not_move(rate_hz):
    values = features([picture(texture(1), 100, 150)] * (rate_hz * 6), rate_hz)
    for name in ("motion", "motion_variance", "brightness_change", "scene_cut"):
        assert np.all(values[name][6:] == 0), name
    assert values["brightness"] == pytest.approx(texture(1).mean())
    assert np.all(values["color_variance"] == 0)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_a_hard_cut_is_one_cut_and_no_motion(rate_hz):
    per_tick = rate_hz // 2
    for cut_at in {rate_hz * 4 + offset for offset in (0, per_tick // 2, per_tick - 1)}:
        frames = [picture(texture(1 if i < cut_at else 2)) for i in range(rate_hz * 6)]
        values = features(frames, rate_hz)
        assert np.sum(values["scene_cut"][3:] > 0) == 1
        assert np.nanmax(values["scene_cut"]) == 1
        assert np.nanmax(values["motion"]) == 0
        assert np.nanmax(values["motion_variance"]) == 0


def test_two_cuts_within_a_second_are_no_motion():
    frames = [picture(texture(1))] * 16 + [picture(texture(2))] * 3 + [picture(texture(3))] * 13
    values = features(frames)
    assert np.sum(values["scene_cut"][3:] == 1) == 2
    assert np.nanmax(values["motion"]) == 0


def test_a_flash_and_the_start_of_motion_are_no_cuts():
    still = [picture(texture(1))] * 16
    flash = features([*still, picture(250), *still[1:]])
    assert np.nanmax(flash["scene_cut"]) == 0
    assert np.nanmax(flash["brightness_change"]) > 20
    assert np.nanmax(features([*[panning(1, 4)[0]] * 16, *panning(8, 4)])["scene_cut"]) < 0.3


def test_faster_is_more_motion():
    slow, fast = (np.nanmean(features(panning(8, 4, speed))["motion"]) for speed in (8, 32))
    assert 0 < slow < fast


def test_motion_hardly_depends_on_the_frame_rate():
    means = {rate_hz: np.nanmean(features(panning(8, rate_hz), rate_hz)["motion"]) for rate_hz in RATES_HZ[1:]}
    for rate_hz, mean in means.items():
        # Half the pan's length of 0.25 s lies between 6 and 10 Hz, whose periods do not divide it.
        assert mean == pytest.approx(means[4], rel=0.35 if rate_hz in (6, 10) else 0.1), rate_hz


def test_motion_of_a_part_varies_over_the_picture_more_than_motion_of_all():
    everywhere = [picture(100 + 10 * (i % 2)) for i in range(20)]
    corner = []
    for i in range(20):
        luma = np.full((HEIGHT_PX, WIDTH_PX), 100)
        luma[:45, :80] += 40 * (i % 2)
        corner.append(picture(luma))
    all_values, part_values = features(everywhere), features(corner)
    assert all_values["motion"][3:] == pytest.approx(10)
    assert part_values["motion"][3:] == pytest.approx(10)
    assert all_values["motion_variance"][3:] == pytest.approx(0)
    assert part_values["motion_variance"][3:] == pytest.approx(40**2 / 4 - 10**2)


def test_a_busy_picture_has_more_edges_than_a_plain_one():
    plain, busy = features([picture(120)] * 4), features([picture(texture(3))] * 4)
    assert np.all(plain["edge_density"] == 0)
    assert np.all(busy["edge_density"] > 0.05)


def test_color_variance_is_that_of_the_chroma_planes_and_knows_no_light():
    u = np.random.default_rng(0).integers(60, 200, (45, 80))
    v = np.random.default_rng(1).integers(60, 200, (45, 80))
    for luma in (50, 200):
        assert features([picture(luma, u, v)] * 4)["color_variance"] == pytest.approx(u.var() + v.var(), rel=1e-5)


def test_brightness_change_is_a_quarter_of_a_second_s_change():
    frames = [picture(50 + 2 * i) for i in range(40)]
    assert features(frames)["brightness_change"] == pytest.approx(2)


def test_what_needs_frames_before_is_unknown_at_the_start():
    values = features(panning(4, 4))
    assert np.isnan(values["motion"]).tolist() == [True, True, *[False] * 6]
    assert np.isnan(values["motion_variance"]).tolist() == [True, True, *[False] * 6]
    assert np.isnan(values["scene_cut"]).tolist() == [True, *[False] * 7]
    for name in ("brightness", "brightness_change", "edge_density", "color_variance"):
        assert np.isfinite(values[name]).all(), name


@pytest.mark.parametrize("rate_hz", [0, 1, 3, 7.5, -4, float("nan")])
def test_a_tick_holds_whole_frames(rate_hz):
    with pytest.raises(ValueError, match="whole number of frames"):
        VideoFeatures(rate_hz)


@pytest.mark.parametrize("shape", [(3, 135, 160), (2, 90, 160), (2, 135, 160, 3)])
def test_only_whole_ticks_of_the_agreed_size_are_taken(shape):
    with pytest.raises(ValueError, match="whole ticks"):
        VideoFeatures(4).push(np.zeros(shape, np.uint8))
