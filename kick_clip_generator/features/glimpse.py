"""Motion, edges, color and light of glimpses: a keyframe, and the last of the few pictures decoded behind it.

Frames repeat the last decoded picture, so most are repeats. One that differs from the frame before is a keyframe, the
frame behind it the end of that glimpse (`media.commands.video_command`), about a tenth of a second later.
`VideoFeatures` takes differences over a quarter of a second, so its motion is on another scale, and the two are not
mixed in one timeline. What a glimpse can not tell, and the time between two of them, is unknown; `pipeline.effort`
fills the latter.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.features.video import (
    CANNY_HIGH,
    CANNY_LOW,
    FRAME_ROWS,
    HEIGHT_PX,
    LUMA_PIXELS,
    WIDTH_PX,
    _color_variance,
    _motion,
    _saturation,
)


class GlimpseFeatures:
    """Signals of consecutive frames, most of which are repeats; has what `VideoFeatures` has.

    Pushing a stream in blocks of any number of ticks gives the same bits, and a run that starts elsewhere the same from
    its second glimpse on (its third where nothing moves). A keyframe that is the same picture as the one before it can
    not be told from a repeat: there, nothing is known.

    Args:
        frame_rate_hz: frames per second of stream, a whole number of frames per tick.
    """

    def __init__(self, frame_rate_hz: float) -> None:
        self.frames_per_tick = round(frame_rate_hz * TICK_S)
        # OpenCV's own threads cost more than they bring on pictures this small.
        cv2.setNumThreads(1)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._before: NDArray[np.uint8] | None = None
        # Whether the frame before was a keyframe.
        self._begun = False
        # A run may begin inside a glimpse, or with a keyframe that stands for longer than one frame: its first change
        # is a keyframe only if another one follows at once.
        self._certain = False

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
        self._before = None if self._before is None else self._before.copy()
        return np.array(per_tick, np.float32).reshape(len(per_tick), len(VIDEO_NAMES))

    def _tick(self, frames: NDArray[np.uint8]) -> list[float]:
        told: dict[str, list[float]] = {}
        for frame in frames:
            for name, value in self._next(frame).items():
                told.setdefault(name, []).append(value)
        return [float(np.mean(told[name])) if name in told else math.nan for name in VIDEO_NAMES]

    def _next(self, frame: NDArray[np.uint8]) -> dict[str, float]:
        """What the glimpse that this frame ends tells; nothing at all other frames."""
        before, self._before = self._before, frame
        if before is None:
            return {}
        changed = not np.array_equal(frame, before)
        if not self._begun:
            self._begun = changed
            return {}
        self._begun = False
        certain, self._certain = self._certain or changed, True
        if not certain:
            return {}
        motion, variance = _motion(frame[:HEIGHT_PX], before[:HEIGHT_PX])
        return {"motion": motion, "motion_variance": variance, **_stills(before)}


def _stills(frame: NDArray[np.uint8]) -> dict[str, float]:
    luma, chroma = frame[:HEIGHT_PX], frame[HEIGHT_PX:]
    return {
        "edge_density": cv2.countNonZero(cv2.Canny(luma, CANNY_LOW, CANNY_HIGH)) / LUMA_PIXELS,
        "color_variance": _color_variance(chroma),
        "saturation": _saturation(chroma),
        "brightness": cv2.mean(luma)[0],
    }
