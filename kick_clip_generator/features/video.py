"""Motion, edges, color, light and cuts of the picture, on the tick grid.

Frames are 160x90 planar YUV. Each takes two dozen OpenCV calls of 1-3 microseconds and one Canny of 120, which is less
than numpy over blocks of frames takes (and needs no temporaries), so there is a loop over frames here.
"""

from __future__ import annotations

import math
import statistics
from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.features.overlay import OverlayChange
from kick_clip_generator.features.registry import VIDEO_NAMES

WIDTH_PX = 160
HEIGHT_PX = 90
FRAME_ROWS = HEIGHT_PX * 3 // 2
LUMA_PIXELS = WIDTH_PX * HEIGHT_PX
CHROMA_PIXELS = LUMA_PIXELS // 4

# Differences are taken over a quarter of a second whatever the frame rate, so that motion does not shrink when frames
# are looked at more often (below 4 Hz: from one frame to the next).
DIFFERENCE_S = 0.25
# A cut lies in one difference, which a median leaves out; of five differences, two cuts. On the development streams
# that tells motion from bursts of cuts (area under the ROC curve 0.78; 0.75 over three differences, 0.58 without a
# median) and from calm (0.86; 0.85, 0.85).
MOTION_DIFFERENCES = 5

CANNY_LOW = 100
CANNY_HIGH = 200

# Levels of content change above both neighbors that make a certain cut; PySceneDetect's detectors call 15-27 a cut.
CUT_LEVELS = 40.0

# A pixel moves when its luma changes by more.
MOVED_LEVELS = 15

# ffmpeg's `scene` score counts in hundreds of levels; from 0.3 on it is taken for a cut.
SCENE_LEVELS = 100.0
SCENE_CUT = 0.3

# `blackdetect` with pix_th=0.10: a tenth of the way from black (16) to white (235).
BLACK_LUMA = 37

# The longest flash: two pictures at 4 Hz.
FLASH_S = 0.5

# Of these a tick tells the largest value, of the others the mean over its pictures.
LARGEST = frozenset({"scene_cut", "scene_strength", "flash", "black_ratio", "picture_change"})


class VideoFeatures:
    """Signals of consecutive frames; keeps a quarter of a second of frames and 1.25 s of differences (2.5 s at 2 Hz).

    Pushing a stream in blocks of any number of ticks gives the same bits. Differences need frames before: motion is
    unknown for the first second of a run (2.5 s at 2 Hz), what must be seen to end (flashes, overlays) for as long as
    that takes; brightness change and cut count what the run holds.

    Raises:
        ValueError: when `frame_rate_hz` does not put whole frames into a tick.
    """

    def __init__(self, frame_rate_hz: float) -> None:
        per_tick = frame_rate_hz * TICK_S
        if not (per_tick >= 1 and per_tick == int(per_tick)):
            raise ValueError(f"expected a whole number of frames per {TICK_S} s tick, got {frame_rate_hz} Hz")
        self.frames_per_tick = int(per_tick)
        self._lag = max(1, round(frame_rate_hz * DIFFERENCE_S))
        self._flash_frames = round(frame_rate_hz * FLASH_S)
        # OpenCV's own threads cost more than they bring on pictures this small.
        cv2.setNumThreads(1)
        self.reset()

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._before: deque[NDArray[np.uint8]] = deque(maxlen=self._lag)
        self._before_brightness: deque[float] = deque(maxlen=self._lag)
        self._motion: deque[tuple[float, float, float]] = deque(maxlen=MOTION_DIFFERENCES * self._lag)
        self._content: deque[float] = deque(maxlen=3)
        self._luma_change = math.nan
        self._lights: deque[float] = deque(maxlen=2 * self._flash_frames + 1)
        self._overlay = OverlayChange(cut_from=SCENE_CUT)

    def push(self, frames: NDArray[np.uint8]) -> FloatArray:
        """The next whole ticks of the run.

        Args:
            frames: uint8, shape `(ticks * frames_per_tick, 135, 160)`: 90 rows of luma, then the packed U and V planes.

        Returns:
            float32, shape `(ticks, len(VIDEO_NAMES))`.

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
        seen: dict[str, list[float]] = {name: [] for name in VIDEO_NAMES}
        before_tick = self._before[-1] if self._before else None
        for frame in frames:
            luma, chroma = frame[:HEIGHT_PX], frame[HEIGHT_PX:]
            brightness = cv2.mean(luma)[0]
            seen["edge_density"].append(cv2.countNonZero(cv2.Canny(luma, CANNY_LOW, CANNY_HIGH)) / LUMA_PIXELS)
            seen["color_variance"].append(_color_variance(chroma))
            seen["saturation"].append(_saturation(chroma))
            seen["black_ratio"].append(1 - _share_above(luma, BLACK_LUMA))
            seen["brightness"].append(brightness)
            if before_tick is not None:
                # The picture before the tick, as freezedetect compares with the one that began the freeze: so slow
                # changes add up, and the frame rate does not matter.
                seen["picture_change"].append(cv2.norm(frame, before_tick, cv2.NORM_L1) / frame.size)
            if self._before:
                self._cuts(frame, self._before[-1], seen)
            if len(self._before) == self._lag:
                before = self._before[0][:HEIGHT_PX]
                seen["brightness_change"].append(abs(brightness - self._before_brightness[0]))
                self._motion.append((*_motion(luma, before), _share_above(cv2.absdiff(luma, before), MOVED_LEVELS)))
            self._lights.append(brightness)
            if len(self._lights) == self._lights.maxlen:
                seen["flash"].append(self._flash_in_the_middle())
            self._before.append(frame)
            self._before_brightness.append(brightness)
        if len(self._motion) == self._motion.maxlen:
            names = ("motion", "motion_variance", "motion_area")
            for name, differences in zip(names, zip(*self._motion, strict=True), strict=True):
                seen[name].append(statistics.median(differences))
        strength = max(seen["scene_strength"], default=math.nan)
        seen["overlay_change"].append(self._overlay.push([frame[:HEIGHT_PX] for frame in frames], strength))
        return [_over_the_tick(name, seen[name]) for name in VIDEO_NAMES]

    def _cuts(self, frame: NDArray[np.uint8], before: NDArray[np.uint8], seen: dict[str, list[float]]) -> None:
        luma_change, chroma_change = _changes(frame, before)
        if not math.isnan(self._luma_change):
            # ffmpeg's `scene`: what moves steadily changes as much before.
            strength = min(luma_change, abs(luma_change - self._luma_change)) / SCENE_LEVELS
            seen["scene_strength"].append(min(strength, 1.0))
        self._luma_change = luma_change
        self._content.append(luma_change + chroma_change)
        if len(self._content) == 3:
            seen["scene_cut"].append(self._cut_before_last())

    def _cut_before_last(self) -> float:
        """How far the last change but one stands out from the changes before and after it, 0-1.

        The judgement comes one frame late, so that it sees the change after: the start of motion and a flash are no
        cuts (the idea of PySceneDetect's AdaptiveDetector).
        """
        earlier, change, later = self._content
        return min(max(change - max(earlier, later), 0.0) / CUT_LEVELS, 1.0)

    def _flash_in_the_middle(self) -> float:
        """How far the picture half a second ago was brighter than some moment of the half second before and after it.

        Light that was already there, or that stays, is none.
        """
        lights = list(self._lights)
        middle = self._flash_frames
        return max(lights[middle] - max(min(lights[:middle]), min(lights[middle + 1 :])), 0.0)


def _changes(frame: NDArray[np.uint8], before: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean absolute change of luma, and that of U plus that of V, in levels."""
    luma = cv2.norm(frame[:HEIGHT_PX], before[:HEIGHT_PX], cv2.NORM_L1) / LUMA_PIXELS
    # The sum over both chroma planes, over the pixels of one.
    return luma, cv2.norm(frame[HEIGHT_PX:], before[HEIGHT_PX:], cv2.NORM_L1) / CHROMA_PIXELS


def _motion(luma: NDArray[np.uint8], before: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean and variance over the picture of the absolute luma difference, from exact integer sums."""
    mean = cv2.norm(luma, before, cv2.NORM_L1) / LUMA_PIXELS
    return mean, cv2.norm(luma, before, cv2.NORM_L2SQR) / LUMA_PIXELS - mean**2


def _share_above(plane: cv2.typing.MatLike, level: int) -> float:
    return cv2.countNonZero(cv2.threshold(plane, level, 255, cv2.THRESH_BINARY)[1]) / LUMA_PIXELS


def _color_variance(chroma: NDArray[np.uint8]) -> float:
    planes = chroma.reshape(2, HEIGHT_PX // 2, WIDTH_PX // 2)
    return sum(float(cv2.meanStdDev(plane)[1].item()) ** 2 for plane in planes)


def _saturation(chroma: NDArray[np.uint8]) -> float:
    """Mean distance of the colors from gray, in levels of chroma."""
    planes = cv2.subtract(chroma, 128.0, dtype=cv2.CV_32F).reshape(2, HEIGHT_PX // 2, WIDTH_PX // 2)  # type: ignore[call-overload]
    return cv2.mean(cv2.magnitude(planes[0], planes[1]))[0]


def _over_the_tick(name: str, values: list[float]) -> float:
    if not values:
        return math.nan
    return max(values) if name in LARGEST else sum(values) / len(values)
