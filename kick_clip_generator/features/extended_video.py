"""Extended signals of the picture: novelty, motion vectors and faces, from the media themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.features import hashes
from kick_clip_generator.features.registry import EXTENDED_VIDEO_NAMES
from kick_clip_generator.media.faces import NO_CASCADE, cascade_path
from kick_clip_generator.media.look import look
from kick_clip_generator.media.probe import Readable

NOVELTY_TICKS = 10
FACES = ("face_count", "face_area")


@dataclass(frozen=True, slots=True)
class Media:
    """The media of a stretch.

    Attributes:
        file: a local path, or a file object, which is left open.
        start_s: where the stretch's first tick lies, relative to the container's start.
    """

    file: str | Path | Readable
    start_s: float = 0.0


class ExtendedVideo:
    """Extended signals of the picture, see `ExtendedExtractor`."""

    names = EXTENDED_VIDEO_NAMES

    def unavailable(self) -> dict[str, str]:
        """Names of which this machine can give only NaN, each with a sentence that says how to change that."""
        return {} if cascade_path() is not None else dict.fromkeys(FACES, NO_CASCADE)

    def rows(
        self, media: Media, ticks: int, *, first_tick: int = 0, skip: int = 0
    ) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Float32 of shape `(ticks, len(names))`, and bool `(ticks,)`; see `ExtendedExtractor.rows`.

        Raises:
            MediaError: when the media can't be opened.
        """
        seen = look(media.file, start_s=media.start_s, ticks=ticks, first_tick=first_tick, skip=skip)
        columns = {
            "picture_novelty": hashes.novelty(hashes.difference_hashes(seen.small), seen.shown, back=NOVELTY_TICKS),
            "vector_speed": seen.vector_speed,
            "vector_coherence": seen.vector_coherence,
            "face_count": seen.face_count,
            "face_area": seen.face_area,
        }
        rows = np.stack([columns[name] for name in self.names], axis=1)
        rows[:skip] = np.nan
        # Where pictures are rare, a tick between two of them is not lost.
        at = np.arange(ticks)
        first, last = np.flatnonzero(seen.shown)[[0, -1]] if seen.shown.any() else (ticks, -1)
        return rows, (at >= first) & (at <= last)
