"""From PCM and frames to rows of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.audio import SAMPLES_PER_TICK, AudioFeatures
from kick_clip_generator.features.glimpse import GlimpseFeatures
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES, VIDEO_NAMES
from kick_clip_generator.features.video import VideoFeatures

_AUDIO_COLUMNS = [NAMES.index(name) for name in AUDIO_NAMES]
_VIDEO_COLUMNS = [NAMES.index(name) for name in VIDEO_NAMES]


class FeatureExtractor:
    """All features of one gap-free run; make a new one, or `reset`, after a gap.

    Causal, with at most 5 s of context: rows from 5 s after the start of a run on are those of any earlier start.

    Args:
        frame_rate_hz: frames per second of stream; a whole number of frames per 0.5 s tick.
        glimpses: most frames are repeats of the last decoded one, see `glimpse`; video is unknown between glimpses.

    Example:
        >>> extractor = FeatureExtractor(frame_rate_hz=4)
        >>> rows = extractor.push(np.zeros(8000, np.int16), np.zeros((2, 135, 160), np.uint8), ticks=1)
        >>> rows.shape == (1, len(NAMES))
        True
    """

    def __init__(self, frame_rate_hz: float, *, glimpses: bool = False) -> None:
        self._audio = AudioFeatures()
        self._video = GlimpseFeatures(frame_rate_hz) if glimpses else VideoFeatures(frame_rate_hz)

    def reset(self) -> None:
        """Forget the run: what comes next starts a new one."""
        self._audio.reset()
        self._video.reset()

    def push(self, pcm: NDArray[np.int16], frames: NDArray[np.uint8], ticks: int) -> FloatArray:
        """The next ticks of the run.

        Args:
            pcm: int16 mono at 16 kHz, shape `(m * 8000,)`, m <= ticks.
            frames: uint8 yuv420p, shape `(m * frames_per_tick, 135, 160)`, m <= ticks.
            ticks: how many rows to return.

        Returns:
            float32, shape `(ticks, len(NAMES))`. A medium that has fewer ticks is NaN in the rest, and starts afresh
            with the next push.

        Raises:
            ValueError: when a medium is not whole ticks, or has more than `ticks`.
        """
        frames_per_tick = self._video.frames_per_tick
        if len(pcm) > ticks * SAMPLES_PER_TICK or len(frames) > ticks * frames_per_tick:
            raise ValueError(f"expected at most {ticks} ticks, got {len(pcm)} samples and {len(frames)} frames")
        heard, seen = self._audio.push(pcm), self._video.push(frames)
        rows = np.full((ticks, len(NAMES)), np.nan, np.float32)
        rows[: len(heard), _AUDIO_COLUMNS] = heard
        rows[: len(seen), _VIDEO_COLUMNS] = seen
        if len(heard) < ticks:
            self._audio.reset()
        if len(seen) < ticks:
            self._video.reset()
        return rows
