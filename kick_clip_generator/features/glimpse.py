"""Motion, edges, color and light of glimpses: the few pictures behind each keyframe that were decoded.

Between glimpses frames repeat the last decoded picture. A frame that differs from the one before is a decoded one, and
the first of a glimpse is followed by at least one more (`media.commands.glimpse_s`); so differences inside glimpses are
known, and are those that `video` would take of the whole stream. All others are unknown. `pipeline.effort` fills them.
"""

from __future__ import annotations

import math
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import (
    CANNY_HIGH,
    CANNY_LOW,
    DIFFERENCE_S,
    FRAME_ROWS,
    HEIGHT_PX,
    LUMA_PIXELS,
    WIDTH_PX,
    _color_variance,
    _motion,
)


class GlimpseFeatures:
    """Signals of consecutive frames, most of which are repeats; has what `VideoFeatures` has.

    Pushing a stream in blocks of any number of ticks gives the same bits, and a run that starts at another keyframe the
    same from its second glimpse on. In a still picture glimpses can not be told from repeats: there, nothing is known.

    Args:
        frame_rate_hz: frames per second of stream, a whole number of frames per tick.
    """

    def __init__(self, frame_rate_hz: float) -> None:
        self.frames_per_tick = round(frame_rate_hz * TICK_S)
        self._lag = max(1, round(frame_rate_hz * DIFFERENCE_S))
        # OpenCV's own threads cost more than they bring on pictures this small.
        cv2.setNumThreads(1)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._before: deque[NDArray[np.uint8]] = deque(maxlen=self._lag)
        # How many of the last frames are decoded ones, without a repeat between.
        self._decoded = 0
        # A run may begin in the middle of a glimpse, or behind it; the first repeat tells that the next begins whole.
        self._repeat_seen = False

    def push(self, frames: NDArray[np.uint8]) -> FloatArray:
        """The next whole ticks of the run.

        Args:
            frames: uint8, shape `(ticks * frames_per_tick, 135, 160)`, as `VideoFeatures` takes them.

        Returns:
            float32, shape `(ticks, len(VIDEO_NAMES))`, NaN where no glimpse tells.

        Raises:
            ValueError: when the frames are not whole ticks of that size.
        """
        if frames.shape[1:] != (FRAME_ROWS, WIDTH_PX) or len(frames) % self.frames_per_tick:
            raise ValueError(
                f"expected whole ticks of {self.frames_per_tick} frames of {FRAME_ROWS}x{WIDTH_PX}, got {frames.shape}"
            )
        per_tick = [
            self._tick(frames[start : start + self.frames_per_tick])
            for start in range(0, len(frames), self.frames_per_tick)
        ]
        # What stays must not keep the caller's block alive.
        self._before = deque((frame.copy() for frame in self._before), maxlen=self._lag)
        return np.array(per_tick, np.float32).reshape(len(per_tick), len(VIDEO_NAMES))

    def _tick(self, frames: NDArray[np.uint8]) -> list[float]:
        seen: dict[str, list[float]] = {}
        for frame in frames:
            repeated = not self._before or np.array_equal(frame, self._before[-1])
            # A stretch shorter than a glimpse can not have ended: what repeats in it is a picture that stands still.
            inside = not repeated or (self._repeat_seen and 0 < self._decoded <= self._lag)
            if inside and self._decoded >= self._lag:
                for name, value in self._differences(frame).items():
                    seen.setdefault(name, []).append(value)
            if not repeated:
                for name, value in _stills(frame).items():
                    seen.setdefault(name, []).append(value)
            self._decoded = self._decoded + 1 if inside else 0
            self._repeat_seen |= repeated and bool(self._before)
            self._before.append(frame)
        return [float(np.mean(seen[name])) if name in seen else math.nan for name in VIDEO_NAMES]

    def _differences(self, frame: NDArray[np.uint8]) -> dict[str, float]:
        luma, before = frame[:HEIGHT_PX], self._before[0][:HEIGHT_PX]
        motion, variance = _motion(luma, before)
        change = abs(cv2.mean(luma)[0] - cv2.mean(before)[0])
        return {"motion": motion, "motion_variance": variance, "brightness_change": change}


def _stills(frame: NDArray[np.uint8]) -> dict[str, float]:
    luma = frame[:HEIGHT_PX]
    return {
        "edge_density": cv2.countNonZero(cv2.Canny(luma, CANNY_LOW, CANNY_HIGH)) / LUMA_PIXELS,
        "color_variance": _color_variance(frame[HEIGHT_PX:]),
        "brightness": cv2.mean(luma)[0],
    }
