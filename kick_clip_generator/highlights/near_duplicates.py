"""Moments that are shown twice: a replay, a looped intro, the same alert.

A hash of single frames would call every moment of a streamer in front of a still background the same. Compared is how
picture and sound go on over eight seconds around the peaks, a second earlier or later.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline

DESCRIPTORS = (
    *("brightness", "color_variance", "saturation", "edge_density"),
    *(f"mfcc_{n}" for n in range(1, 14)),
)
HALF_S = 4.0
SHIFT_S = 1.0


class Appearance:
    """What a stream looks and sounds like, tick by tick, for comparing its moments.

    Args:
        timeline: features of the stream.
    """

    def __init__(self, timeline: Timeline) -> None:
        columns = np.stack([timeline.column(name) for name in DESCRIPTORS], axis=1)
        known = np.isfinite(columns)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, columns, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (columns - mean) ** 2, 0).sum(axis=0) / count)
        # What never changes tells no moment from another.
        changing = spread > 1e-6
        columns = ((columns - mean)[:, changing] / spread[changing]).astype(np.float32)
        # Beyond the ends nothing is known.
        self._margin = round((HALF_S + SHIFT_S) / TICK_S)
        self._columns: FloatArray = np.pad(columns, ((self._margin, self._margin), (0, 0)), constant_values=np.nan)
        self._start_s = timeline.start_s

    def distances(self, one_s: float, others_s: Sequence[float]) -> FloatArray:
        """Mean absolute difference of a moment and others, in standard deviations of the stream.

        Args:
            one_s, others_s: their peaks, inside the stream.

        Returns:
            shape `(len(others_s),)`; NaN where less than half of a moment is known.
        """
        one = self._around(np.array([one_s]), 0)
        others = np.array(others_s, np.float64)
        shifts = range(-round(SHIFT_S / TICK_S), round(SHIFT_S / TICK_S) + 1)
        return np.asarray(np.fmin.reduce([_difference(one, self._around(others, shift)) for shift in shifts]))

    def _around(self, peaks_s: NDArray[np.float64], shift: int) -> FloatArray:
        """Shape `(peaks, ticks, descriptors)`."""
        half = round(HALF_S / TICK_S)
        ticks = ((peaks_s - self._start_s) / TICK_S).astype(np.intp) + self._margin + shift
        return np.asarray(self._columns[ticks[:, None] + np.arange(-half, half)])


def _difference(one: FloatArray, others: FloatArray) -> FloatArray:
    difference = np.abs(one - others)
    known = np.isfinite(difference)
    number = known.sum(axis=(1, 2))
    total = np.where(known, difference, 0.0).sum(axis=(1, 2))
    enough = number >= max(1, difference.shape[1] * difference.shape[2] / 2)
    return np.asarray(np.where(enough, total / np.maximum(number, 1), np.nan), np.float32)
