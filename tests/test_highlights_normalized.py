"""Every signal on one scale, the same that detection uses, and medians that are numpy's."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.features.registry import EXTENDED_NAMES, NAMES
from kick_clip_generator.highlights.baseline import Z_LIMIT, robust_z
from kick_clip_generator.highlights.medians import medians
from kick_clip_generator.highlights.normalized import normalized
from kick_clip_generator.highlights.signals import SIGNALS


@pytest.fixture
def timeline() -> Timeline:
    rng = np.random.default_rng(0)
    scales = 10.0 ** rng.integers(-3, 4, len(NAMES))
    values = (rng.standard_normal((1500, len(NAMES))) * scales + 5 * scales).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, NAMES.index("pitch")] = np.nan
    values[:, NAMES.index("motion")] = 3.0
    return Timeline(NAMES, values, first_tick=240)


def test_it_is_the_scale_of_detection_beside_the_raw_values(timeline: Timeline) -> None:
    raw = timeline.values.copy()
    z = normalized(timeline)
    assert (z.names, z.first_tick, z.values.dtype) == (timeline.names, 240, np.float32)
    np.testing.assert_array_equal(timeline.values, raw)
    for name in NAMES:
        expected = robust_z(timeline.column(name), SIGNALS[name].floor).astype(np.float32)
        np.testing.assert_array_equal(z.column(name), expected)


def test_unknown_stays_unknown_and_all_else_is_on_one_scale(timeline: Timeline) -> None:
    z = normalized(timeline).values
    np.testing.assert_array_equal(np.isnan(z), np.isnan(timeline.values))
    assert np.nanmax(np.abs(z)) <= Z_LIMIT
    assert (normalized(timeline).column("motion") == 0).all()
    lively = [n for n, name in enumerate(NAMES) if name not in ("pitch", "motion")]
    spread = np.nanstd(z[:, lively], axis=0)
    # Noise below a signal's floor is no news; above it, all are about one.
    assert (spread < 1.3).all() and np.median(spread) > 0.7


def test_a_signal_that_detection_does_not_know_is_normalized_too() -> None:
    values = np.random.default_rng(1).standard_normal((600, len(EXTENDED_NAMES))).astype(np.float32)
    values[300] += 10
    z = normalized(Timeline(EXTENDED_NAMES, values)).values
    assert (z[300] > 3).all()


@given(
    width=st.integers(1, 40),
    share=st.sampled_from([0.0, 0.2, 0.7, 0.95, 1.0]),
    narrow=st.booleans(),
    seed=st.integers(0, 99),
)
def test_medians_are_those_of_numpy(width: int, share: float, narrow: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((20, width)).round(1)
    rows[rng.random(rows.shape) < share] = np.nan
    rows = rows.astype(np.float32) if narrow else rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(rows.astype(np.float64), axis=1)
    np.testing.assert_array_equal(medians(rows), expected)
