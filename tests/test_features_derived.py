"""Laws of what is derived from signals, and agreement with scipy and librosa where they are installed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.features.derived import audio_dips, deltas, find_peaks, silences

NO_SCIPY = "scipy, the reference, comes with the bench extra"


def test_the_delta_of_a_slope_is_the_slope():
    ramp = (3 * np.arange(30) + 7).astype(np.float32)
    assert deltas(ramp) == pytest.approx(3)
    assert deltas(np.stack([ramp, -ramp], axis=1), width=3) == pytest.approx(np.tile([3, -3], (30, 1)))


def test_an_unknown_value_makes_its_windows_unknown():
    values = np.arange(30, dtype=np.float32)
    values[15] = np.nan
    assert np.isnan(deltas(values)).nonzero()[0].tolist() == list(range(11, 20))
    assert np.isnan(deltas(values[:5])).all()


@pytest.mark.parametrize("width", [1, 4, -3])
def test_only_odd_widths_make_a_delta(width):
    with pytest.raises(ValueError, match="odd width"):
        deltas(np.zeros(20, np.float32), width=width)


@pytest.mark.slow
def test_deltas_are_those_of_librosa():
    librosa = pytest.importorskip("librosa", reason="librosa, the reference, comes with the bench extra")
    values = np.random.default_rng(0).standard_normal((60, 13)).astype(np.float32)
    for width in (3, 9):
        np.testing.assert_allclose(
            deltas(values, width=width), librosa.feature.delta(values.T, width=width).T, atol=1e-5
        )


# Few distinct heights make plateaus and ties; a step of 1/8 keeps every sum exact.
HEIGHTS = st.integers(-8, 8).map(lambda eighths: eighths / 8)


@pytest.mark.slow
@given(
    values=npst.arrays(np.float64, st.integers(0, 40), elements=HEIGHTS),
    height=HEIGHTS,
    prominence=st.integers(1, 12).map(lambda eighths: eighths / 8),
    distance=st.integers(1, 6),
)
def test_peaks_are_those_of_scipy(values, height, prominence, distance):
    signal = pytest.importorskip("scipy.signal", reason=NO_SCIPY)
    for options in ({}, {"height": height}, {"prominence": prominence}, {"distance": distance}):
        expected, _ = signal.find_peaks(values, **options)
        assert find_peaks(values, **options).tolist() == expected.tolist()
    options = {"height": height, "prominence": prominence, "distance": distance}
    assert find_peaks(values, **options).tolist() == signal.find_peaks(values, **options)[0].tolist()


@pytest.mark.slow
def test_peaks_of_noise_are_those_of_scipy():
    signal = pytest.importorskip("scipy.signal", reason=NO_SCIPY)
    values = np.cumsum(np.random.default_rng(2).standard_normal(5000))
    for options in ({"distance": 40}, {"prominence": 3.0}, {"height": 5.0, "distance": 20, "prominence": 2.0}):
        np.testing.assert_array_equal(find_peaks(values, **options), signal.find_peaks(values, **options)[0])


def test_no_peak_lies_beside_an_unknown_value_or_sees_over_it():
    nan = math.nan
    assert find_peaks([0, 5, nan, 5, 0]).tolist() == []
    # Over its left neighborhood, which ends at the gap, the second peak stands by 1 only.
    values = [0, 9, 0, nan, 4, 5, 0, 9, 0]
    assert find_peaks(values).tolist() == [1, 5, 7]
    assert find_peaks(values, prominence=2).tolist() == [1, 7]
    assert find_peaks([nan] * 5, height=0, prominence=1, distance=2).tolist() == []


def test_peaks_need_one_dimension_and_a_distance():
    with pytest.raises(ValueError, match="one dimension"):
        find_peaks(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="distance"):
        find_peaks([0, 1, 0], distance=0)


def level(*parts: tuple[float, float]) -> np.ndarray:
    """Stretches of (seconds, dBFS) with a little unrest."""
    ticks = np.concatenate([np.full(int(duration_s / TICK_S), height) for duration_s, height in parts])
    return (ticks + np.random.default_rng(0).uniform(-1, 1, len(ticks))).astype(np.float32)


def test_silences_come_back_within_a_tick():
    level_db = level((10, -30), (4, -70), (10, -28), (0.5, -90), (10, -30))
    assert silences(level_db) == [Span(10, 14), Span(24, 24.5)]
    assert silences(level_db, least_s=2) == [Span(10, 14)]
    assert silences(level_db, first_tick=100) == [Span(60, 64), Span(74, 74.5)]
    assert silences(level_db[24:25]) == [Span(0, 0.5)]


def test_unknown_is_not_silent():
    level_db = level((4, -70), (4, -70))
    level_db[6] = np.nan
    assert silences(level_db) == [Span(0, 3), Span(3.5, 8)]


def test_a_dip_comes_back_and_is_short():
    level_db = level((20, -30), (1.5, -55), (20, -32), (10, -60), (20, -30), (3, -50), (15, -30))
    assert audio_dips(level_db) == [Span(20, 21.5), Span(71.5, 74.5)]
    assert audio_dips(level_db, longest_s=2, first_tick=2) == [Span(21, 22.5)]
    assert audio_dips(level_db, depth_db=30) == []
    # A quieter scene and the end of the sound are no dips.
    assert audio_dips(level((20, -30), (20, -60))) == []
    assert audio_dips(np.full(40, np.nan, np.float32)) == []
