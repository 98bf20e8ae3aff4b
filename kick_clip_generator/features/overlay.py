"""Change of what lies over the picture: alerts, scores and banners that come up or go while their surroundings stay."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

# A pixel stands still while its luma stays within so many levels: what video compression does to text that stays.
STEADY_LEVELS = 12
# It has changed when it then stands still so many levels away.
CHANGED_LEVELS = 20
STEADY_TICKS_BEFORE = 2

Plane = NDArray[np.uint8]


class OverlayChange:
    """Share of pixels that stood still for a second, changed, and stand still again for half a second.

    Things that move, and a camera that moves, do not stand still before and after. The judgement comes one tick late,
    and lands on one tick. It counts what a run holds: its first two ticks are unknown.

    Args:
        cut_from: scene strength from which a change is a cut and no overlay.
    """

    def __init__(self, cut_from: float) -> None:
        self._cut_from = cut_from
        # Of the ticks before: lowest and highest luma of each pixel.
        self._ranges: deque[tuple[Plane, Plane]] = deque(maxlen=STEADY_TICKS_BEFORE + 1)
        self._last: Plane | None = None
        self._cut_before = False

    def push(self, lumas: Sequence[Plane], scene_strength: float) -> float:
        """The next tick.

        Args:
            lumas: its pictures' luma, one after the other.
            scene_strength: its largest, NaN if unknown.
        """
        low, high = lumas[0], lumas[0]
        for luma in lumas[1:]:
            low, high = np.asarray(cv2.min(low, luma), np.uint8), np.asarray(cv2.max(high, luma), np.uint8)
        change = math.nan
        if self._last is not None and len(self._ranges) > 1:
            change = 0.0 if self._cut_before else self._change(low, high, self._last)
        # Copies: what stays must not keep the caller's block alive.
        self._ranges.append((low.copy(), high.copy()) if len(lumas) == 1 else (low, high))
        self._last = lumas[-1].copy()
        self._cut_before = scene_strength >= self._cut_from
        return change

    def _change(self, low: Plane, high: Plane, last: Plane) -> float:
        """The change between the ticks before the last one and its last picture."""
        *before, _ = self._ranges
        low_before, high_before = before[0]
        for lows, highs in before[1:]:
            low_before, high_before = cv2.min(low_before, lows), cv2.max(high_before, highs)  # type: ignore[assignment]
        low_after, high_after = cv2.min(low, last), cv2.max(high, last)
        # Subtraction of bytes stops at 0.
        unsteady = cv2.max(cv2.subtract(high_before, low_before), cv2.subtract(high_after, low_after))
        distance = cv2.max(cv2.subtract(low_after, high_before), cv2.subtract(low_before, high_after))
        _, excluded = cv2.threshold(unsteady, STEADY_LEVELS, 255, cv2.THRESH_BINARY)
        _, changed = cv2.threshold(cv2.subtract(distance, excluded), CHANGED_LEVELS, 255, cv2.THRESH_BINARY)
        return cv2.countNonZero(changed) / changed.size
