"""Moments that are shown twice: a replay, a looped intro, the same alert.

A hash of single frames would call every moment of a streamer in front of a still background the same. Compared is how
picture and sound go on over eight seconds around the peaks, a second earlier or later: a replay differs by less than
one tick from the next (half of that at most if it lies between two ticks), two cheers by more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline

PICTURE = ("brightness", "color_variance", "saturation", "edge_density")
SOUND = tuple(f"mfcc_{n}" for n in range(1, 14))
HALF_S = 4.0
SHIFT_S = 1.0


class Appearance:
    """What a stream looks and sounds like, tick by tick, for comparing its moments.

    Args:
        timeline: features of the stream.
    """

    def __init__(self, timeline: Timeline) -> None:
        # Beyond the ends nothing is known.
        self._margin = round((HALF_S + SHIFT_S) / TICK_S)
        self._media = [self._scaled(timeline, names) for names in (PICTURE, SOUND)]
        self._start_s = timeline.start_s

    def distances(self, one_s: float, others_s: Sequence[float]) -> FloatArray:
        """How much a moment differs from others, in units of what changes within it from tick to tick.

        The same sound over other pictures is another moment, so the greater distance of the two counts.

        Args:
            one_s, others_s: their peaks, inside the stream.

        Returns:
            shape `(len(others_s),)`: 0 for the same, about 1 for two stretches of the same noise, more for others; NaN
            where less than half of a moment is known, or nothing changes in it.
        """
        others = np.array(others_s, np.float64)
        shifts = range(-round(SHIFT_S / TICK_S), round(SHIFT_S / TICK_S) + 1)
        shifted = [
            np.fmax.reduce([self._one(medium, one_s, others, shift) for medium in self._media]) for shift in shifts
        ]
        return np.asarray(np.fmin.reduce(shifted), np.float32)

    def _one(self, medium: FloatArray, one_s: float, others_s: NDArray[np.float64], shift: int) -> FloatArray:
        one = self._around(medium, np.array([one_s]), 0)
        change = _difference(one[:, 1:], one[:, :-1])[0]
        if not change > 0:
            return np.full(len(others_s), np.nan, np.float32)
        return np.asarray(_difference(one, self._around(medium, others_s, shift)) / change)

    def _around(self, medium: FloatArray, peaks_s: NDArray[np.float64], shift: int) -> FloatArray:
        """Shape `(peaks, ticks, descriptors)`."""
        half = round(HALF_S / TICK_S)
        ticks = ((peaks_s - self._start_s) / TICK_S).astype(np.intp) + self._margin + shift
        return np.asarray(medium[ticks[:, None] + np.arange(-half, half)])

    def _scaled(self, timeline: Timeline, names: Sequence[str]) -> FloatArray:
        """The descriptors that ever change, in standard deviations of the stream, with a margin of NaN."""
        columns = np.stack([timeline.column(name) for name in names], axis=1)
        known = np.isfinite(columns)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, columns, 0).sum(axis=0) / count
        spread = np.sqrt(np.where(known, (columns - mean) ** 2, 0).sum(axis=0) / count)
        changing = spread > 1e-6
        scaled = ((columns - mean)[:, changing] / spread[changing]).astype(np.float32)
        return np.pad(scaled, ((self._margin, self._margin), (0, 0)), constant_values=np.nan)


def _difference(one: FloatArray, others: FloatArray) -> FloatArray:
    difference = np.abs(one - others)
    known = np.isfinite(difference)
    number = known.sum(axis=(1, 2))
    total = np.where(known, difference, 0.0).sum(axis=(1, 2))
    enough = number >= max(1, difference.shape[1] * difference.shape[2] / 2)
    return np.asarray(np.where(enough, total / np.maximum(number, 1), np.nan), np.float32)
