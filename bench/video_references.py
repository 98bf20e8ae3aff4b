"""What OpenCV and ffmpeg's own filters make of the same pictures at full size: what the fast signals are compared with.

All look at the same four pictures a second, so what is compared is the size and the arithmetic; the spans of
`blackdetect` and `freezedetect` are those of every picture.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import cv2
import numpy as np

from kick_clip_generator.core.records import Span
from kick_clip_generator.features.video import (
    BLACK_LUMA,
    CANNY_HIGH,
    CANNY_LOW,
    FRAME_ROWS,
    MOTION_DIFFERENCES,
    WIDTH_PX,
)

PER_TICK = 2
FRAME_RATE_HZ = 4
# The usual threshold of full-size pictures, whose grain the small ones average out.
MOVED_LEVELS = 25


def small_frames(ffmpeg: str, media: Path, duration_s: float) -> np.ndarray:
    """Whole ticks of pictures as the product sees them, shape `(frames, 135, 160)`."""
    scaled = f"fps={FRAME_RATE_HZ},scale=160:90:flags=area,format=yuv420p"
    frames = _raw(ffmpeg, media, duration_s, scaled).reshape(-1, FRAME_ROWS, WIDTH_PX)
    return frames[: len(frames) // PER_TICK * PER_TICK]


def opencv_signals(ffmpeg: str, media: Path, duration_s: float, width_px: int, height_px: int) -> dict[str, np.ndarray]:
    """The definitions of `features.video` in OpenCV and numpy at the full, even size of a recording."""
    size = f"fps={FRAME_RATE_HZ},scale={width_px}:{height_px},format=yuv420p"
    frames = _raw(ffmpeg, media, duration_s, size).reshape(-1, height_px * 3 // 2, width_px)
    frames = frames[: len(frames) // PER_TICK * PER_TICK]
    lumas = frames[:, :height_px]
    chromas = frames[:, height_px:].reshape(len(frames), 2, -1)
    pairs = [cv2.absdiff(after, before) for before, after in itertools.pairwise(lumas)]
    starts = [frames[max(index // PER_TICK * PER_TICK - 1, 0)] for index in range(len(frames))]
    lights = np.array([luma.mean() for luma in lumas])
    return {
        "motion": _median([difference.mean() for difference in pairs]),
        "motion_variance": _median([difference.astype(np.float32).var() for difference in pairs]),
        "motion_area": _median([(difference > MOVED_LEVELS).mean() for difference in pairs]),
        "edge_density": _per_tick([(cv2.Canny(luma, CANNY_LOW, CANNY_HIGH) > 0).mean() for luma in lumas]).mean(axis=1),
        "color_variance": _per_tick(chromas.astype(np.float32).var(axis=2).sum(axis=1)).mean(axis=1),
        "brightness": _per_tick(lights).mean(axis=1),
        "brightness_change": _per_tick(np.abs(np.diff(lights, prepend=np.nan))).mean(axis=1),
        "picture_change": _per_tick(
            [cv2.absdiff(frame, before).mean() for frame, before in zip(frames, starts, strict=True)]
        ).max(axis=1),
    }


def ffmpeg_signals(ffmpeg: str, media: Path, duration_s: float) -> dict[str, np.ndarray]:
    """`signalstats`, `blackframe` (what `blackdetect` counts) and the score of `select` at full size, per tick."""
    filters = (
        f"fps={FRAME_RATE_HZ},format=yuv420p,signalstats,blackframe=amount=0:threshold={BLACK_LUMA + 1},"
        "select='gte(scene,0)',metadata=print:file=-"
    )
    said = _said(ffmpeg, media, duration_s, filters)
    found = {
        key: _per_tick([float(value) for value in re.findall(rf"lavfi\.{re.escape(key)}=(\S+)", said)])
        for key in ("signalstats.SATAVG", "blackframe.pblack", "scene_score")
    }
    return {
        "saturation": found["signalstats.SATAVG"].mean(axis=1),
        "black_ratio": found["blackframe.pblack"].max(axis=1) / 100,
        "scene_strength": found["scene_score"].max(axis=1),
    }


def ffmpeg_spans(ffmpeg: str, media: Path, duration_s: float) -> dict[str, list[Span]]:
    """What `blackdetect` and `freezedetect` find in all pictures, and the cuts of `scene` over 0.3, without length."""
    filters = (
        "format=yuv420p,blackdetect=d=0.1:pix_th=0.10,freezedetect=n=0.003:d=0.5,"
        "select='gte(scene,0)',metadata=print:file=-"
    )
    said = _said(ffmpeg, media, duration_s, filters)
    scores = re.findall(r"pts_time:(\S+)(?:(?!pts_time).)*?lavfi\.scene_score=(\S+)", said, re.DOTALL)
    return {
        "black": _spans(said, "black", duration_s),
        "freeze": _spans(said, "freezedetect.freeze", duration_s),
        "cut": [Span(float(time), float(time)) for time, score in scores if float(score) > 0.3],
    }


def _spans(said: str, key: str, duration_s: float) -> list[Span]:
    starts, ends = (
        [float(time) for time in re.findall(rf"lavfi\.{re.escape(key)}_{side}=(\S+)", said)]
        for side in ("start", "end")
    )
    return [Span(start, end) for start, end in zip(starts, [*ends, duration_s], strict=False)]


def _per_tick(values: list[float] | np.ndarray) -> np.ndarray:
    array = np.asarray(values, np.float64)
    return array[: len(array) // PER_TICK * PER_TICK].reshape(-1, PER_TICK)


def _median(differences: list[float]) -> np.ndarray:
    """Median of the last differences at the end of each tick; unknown while there are fewer."""
    last = np.array([np.nan, *differences])
    windows = [last[max(stop - MOTION_DIFFERENCES, 0) : stop] for stop in range(PER_TICK, len(last) + 1, PER_TICK)]
    return np.array([np.median(window) if len(window) == MOTION_DIFFERENCES else np.nan for window in windows])


def _raw(ffmpeg: str, media: Path, duration_s: float, filters: str) -> np.ndarray:
    command = [ffmpeg, "-v", "error", "-nostdin", "-t", str(duration_s), "-i", str(media), "-an", "-vf", filters]
    return np.frombuffer(
        subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout, np.uint8
    )


def _said(ffmpeg: str, media: Path, duration_s: float, filters: str) -> str:
    command = [ffmpeg, "-v", "error", "-nostdin", "-t", str(duration_s), "-i", str(media), "-an", "-vf", filters]
    return subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True, text=True).stdout
