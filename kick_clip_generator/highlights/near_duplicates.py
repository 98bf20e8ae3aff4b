"""Moments that are shown twice: a replay, a looped intro, the same alert.

A hash of single frames would call every moment of a streamer in front of a still background the same. Compared is how
picture and sound go on over eight seconds around the peaks, a second earlier or later.
"""

from __future__ import annotations

import math

import numpy as np

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
        self._columns: FloatArray = ((columns - mean)[:, changing] / spread[changing]).astype(np.float32)
        self._start_s = timeline.start_s

    def distance(self, one_s: float, other_s: float) -> float:
        """Mean absolute difference of two moments in standard deviations of the stream; NaN when not known.

        Args:
            one_s, other_s: their peaks.
        """
        most = round(SHIFT_S / TICK_S)
        distances = [self._shifted(one_s, other_s, shift) for shift in range(-most, most + 1)]
        return min(distances, key=lambda distance: math.inf if math.isnan(distance) else distance)

    def _shifted(self, one_s: float, other_s: float, shift: int) -> float:
        half = round(HALF_S / TICK_S)
        one, other = (int((peak_s - self._start_s) / TICK_S) for peak_s in (one_s, other_s))
        other += shift
        before = min(half, one, other)
        after = min(half, len(self._columns) - one, len(self._columns) - other)
        if before + after < half:
            return math.nan
        difference = np.abs(self._columns[one - before : one + after] - self._columns[other - before : other + after])
        known = np.isfinite(difference)
        return float(difference[known].mean()) if known.any() else math.nan
