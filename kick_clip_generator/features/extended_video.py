"""Extended signals of the picture: novelty from small frames; motion vectors and faces from the media themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import TICK_S, FloatArray
from kick_clip_generator.features import hashes
from kick_clip_generator.features.registry import EXTENDED_VIDEO_NAMES
from kick_clip_generator.features.video import FRAME_ROWS, HEIGHT_PX, WIDTH_PX
from kick_clip_generator.media.faces import NO_CASCADE, cascade_path
from kick_clip_generator.media.look import look
from kick_clip_generator.media.probe import Readable

NOVELTY_TICKS = 10
FACES = ("face_count", "face_area")


@dataclass(frozen=True, slots=True)
class Media:
    """The media of a stretch, for what small frames do not tell.

    Attributes:
        file: a local path, or a file object, which is left open.
        start_s: where the stretch's first tick lies, relative to the container's start.
    """

    file: str | Path | Readable
    start_s: float = 0.0


class ExtendedPicture:
    """What small frames tell, see `ExtendedExtractor`.

    Raises:
        ValueError: when `frame_rate_hz` does not put whole frames into a tick.
    """

    names: tuple[str, ...] = ("picture_novelty",)

    def __init__(self, frame_rate_hz: float) -> None:
        per_tick = frame_rate_hz * TICK_S
        if not (per_tick >= 1 and per_tick == int(per_tick)):
            raise ValueError(f"expected a whole number of frames per {TICK_S} s tick, got {frame_rate_hz} Hz")
        self._per_tick = int(per_tick)

    def unavailable(self) -> dict[str, str]:
        """Nothing: it needs no optional library."""
        return {}

    def rows(self, pcm: NDArray[np.int16], frames: NDArray[np.uint8], ticks: int) -> FloatArray:
        """Float32 of shape `(ticks, len(names))`; `pcm` is not looked at."""
        fits = frames.shape[1:] == (FRAME_ROWS, WIDTH_PX) and len(frames) <= ticks * self._per_tick
        if not fits or len(frames) % self._per_tick:
            raise ValueError(
                f"expected at most {ticks} ticks of {self._per_tick} frames of {FRAME_ROWS}x{WIDTH_PX}, got shape "
                f"{frames.shape}"
            )
        rows = np.full((ticks, len(self.names)), np.nan, np.float32)
        seen = hashes.difference_hashes(frames[:: self._per_tick, :HEIGHT_PX])
        rows[: len(seen), 0] = hashes.novelty(seen, back=NOVELTY_TICKS)
        return rows


class ExtendedMedia:
    """What the media tell, see `ExtendedExtractor`."""

    names: tuple[str, ...] = tuple(name for name in EXTENDED_VIDEO_NAMES if name not in ExtendedPicture.names)

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        return {} if cascade_path() is not None else dict.fromkeys(FACES, NO_CASCADE)

    def rows(self, media: Media, ticks: int) -> FloatArray:
        """Float32 of shape `(ticks, len(names))`.

        Raises:
            MediaError: when the media can't be opened.
        """
        seen = look(media.file, start_s=media.start_s, ticks=ticks)
        return np.stack([getattr(seen, name) for name in self.names], axis=1)
