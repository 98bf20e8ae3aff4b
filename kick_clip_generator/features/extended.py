"""Signals that cost too much for every tick, for the stretches around candidates (or everywhere, on request)."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.extended_audio import ExtendedAudio
from kick_clip_generator.features.extended_video import ExtendedMedia, ExtendedPicture, Media
from kick_clip_generator.features.registry import EXTENDED_NAMES


class Part(Protocol):
    """A family of extended signals."""

    names: tuple[str, ...]

    def rows(self, pcm: NDArray[np.int16], frames: NDArray[np.uint8], ticks: int) -> FloatArray:
        """Float32 of shape `(ticks, len(names))`, see `ExtendedExtractor.rows`."""
        ...

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        ...


class ExtendedExtractor:
    """All extended signals of a stretch of stream.

    Optional libraries are loaded with the first stretch; where one is missing, its signals are NaN and `unavailable`
    says why.

    Args:
        frame_rate_hz: frames per second of stream; a whole number of frames per 0.5 s tick.

    Example:
        >>> rows = ExtendedExtractor().rows(np.zeros(80_000, np.int16), np.zeros((0, 135, 160), np.uint8), ticks=10)
        >>> rows.shape == (10, len(EXTENDED_NAMES))
        True
    """

    def __init__(self, frame_rate_hz: float = 4.0) -> None:
        self._parts: tuple[Part, ...] = (ExtendedAudio(), ExtendedPicture(frame_rate_hz))
        self._of_media = ExtendedMedia()

    def rows(
        self, pcm: NDArray[np.int16], frames: NDArray[np.uint8], ticks: int, *, media: Media | None = None
    ) -> FloatArray:
        """The signals of one gap-free stretch, 20-120 s as a rule; each call stands for itself.

        Args:
            pcm: int16 mono at 16 kHz, shape `(m * 8000,)`, m <= ticks.
            frames: uint8 yuv420p, shape `(m * frames_per_tick, 135, 160)`, m <= ticks.
            ticks: how many rows to return.
            media: what sound and frames were decoded from, for motion vectors and faces; those are NaN without.

        Returns:
            float32, shape `(ticks, len(EXTENDED_NAMES))`; NaN where a medium or a library is missing, and in the ticks
            whose context (`Feature.context_s`) lies before the stretch.

        Raises:
            MediaError: when the media can't be opened.
            ValueError: when a medium is not whole ticks, or has more than `ticks`.
        """
        rows = np.full((ticks, len(EXTENDED_NAMES)), np.nan, np.float32)
        for part in self._parts:
            rows[:, _columns(part.names)] = part.rows(pcm, frames, ticks)
        if media is not None:
            rows[:, _columns(self._of_media.names)] = self._of_media.rows(media, ticks)
        return rows

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        reasons = self._of_media.unavailable()
        for part in self._parts:
            reasons |= part.unavailable()
        return reasons


def _columns(names: tuple[str, ...]) -> list[int]:
    return [EXTENDED_NAMES.index(name) for name in names]
