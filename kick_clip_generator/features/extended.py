"""Signals that cost too much for every tick, for the stretches around candidates (or everywhere, on request)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features.audio import SAMPLES_PER_TICK
from kick_clip_generator.features.extended_audio import ExtendedAudio
from kick_clip_generator.features.extended_video import ExtendedVideo, Media


class ExtendedExtractor:
    """All extended signals of a stretch of stream.

    Optional libraries are loaded with the first stretch; where one is missing, its signals are NaN and `unavailable`
    says why.

    Example:
        >>> rows, known = ExtendedExtractor().rows(np.zeros(80_000, np.int16), ticks=10)
        >>> rows.shape == (10, len(EXTENDED_NAMES))
        True
    """

    def __init__(self) -> None:
        self._sound = ExtendedAudio()
        self._picture = ExtendedVideo()

    def rows(
        self, pcm: NDArray[np.int16], ticks: int, *, media: Media | None = None, first_tick: int = 0, skip: int = 0
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """The signals of one gap-free stretch, 20-120 s as a rule; each call stands for itself.

        Ticks 5 s and more behind its beginning have the values that any other stretch gives them, bit for bit.

        Args:
            pcm: int16 mono at 16 kHz, shape `(m * 8000,)`, m <= ticks.
            ticks: how many rows to return.
            media: what the sound was decoded from, for the signals of the picture; those are NaN without.
            first_tick: absolute index of row 0.
            skip: so many rows at the beginning are not asked for: they only lead in.

        Returns:
            float32, shape `(ticks, len(EXTENDED_NAMES))`; NaN where a medium or a library is missing, where skipped,
            and in the ticks whose context (`Feature.context_s`) lies before the stretch. And bool, shape `(ticks, 2)`:
            whether there was sound, and picture.

        Raises:
            MediaError: when the media can't be opened.
            ValueError: when the sound is not whole ticks, or has more than `ticks`.
        """
        sound = self._sound.rows(pcm, ticks, first_tick=first_tick, skip=skip)
        picture, seen = np.full((ticks, len(self._picture.names)), np.nan, np.float32), np.zeros(ticks, bool)
        if media is not None:
            picture, seen = self._picture.rows(media, ticks, first_tick=first_tick, skip=skip)
        heard = np.arange(ticks) < len(pcm) // SAMPLES_PER_TICK
        return np.hstack([sound, picture]), np.stack([heard, seen], axis=1)

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        return self._sound.unavailable() | self._picture.unavailable()
