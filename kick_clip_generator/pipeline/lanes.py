"""The decoders of one run: a feeder and a decoder for each track, side by side on one clock."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.errors import Cancelled, LibraryError, SourceLost
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.media.decode import DecodeRun
from kick_clip_generator.media.hardware import Accelerator
from kick_clip_generator.pipeline.feeder import Feeder
from kick_clip_generator.sources.tracks import Tracks

# What ends the whole analysis, not a window.
FATAL = (Cancelled, LibraryError, SourceLost)


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How windows become ticks: ffmpeg, frame rate, where a window's media lie meanwhile, which pictures count.

    The accelerator is shared by all who decode, so that all go on in software once it fails.
    """

    ffmpeg: str
    frame_rate_hz: float
    temp_dir: Path
    pictures: Pictures = "all"
    accelerator: Accelerator = field(default_factory=Accelerator)


class Lanes:
    """Reads and decodes a run; use it as a context manager: no thread, process or file outlives it.

    Args:
        tracks: the open rendition, whose readers have begun a run at the first window.
        windows: the run.
        offsets_s: what each reader's `start` said.
        first_tick: where decoding begins.
        options: see `DecodeOptions`.
        cancel: ends every wait.
        keep: where the media of the picture are left, for those who look at them; then only sound is decoded.
    """

    def __init__(
        self,
        tracks: Tracks,
        windows: Sequence[Window],
        offsets_s: Sequence[float],
        *,
        first_tick: int,
        options: DecodeOptions,
        cancel: CancelToken,
        keep: Path | None = None,
    ) -> None:
        self._cancel = cancel
        self._runs: list[DecodeRun] = []
        self._feeders: list[Feeder] = []
        for track, offset_s in zip(tracks.tracks, offsets_s, strict=True):
            run = DecodeRun(
                options.ffmpeg,
                container=track.reader.container,
                offset_s=offset_s,
                first_tick=first_tick,
                audio=track.audio,
                video=track.video and keep is None,
                frame_rate_hz=options.frame_rate_hz,
                pictures=options.pictures,
                accelerator=options.accelerator.name,
                cancel=cancel,
            )
            self._runs.append(run)
            kept = keep if track.video else None
            self._feeders.append(Feeder(track.reader, windows, run, options.temp_dir, keep=kept))
        self._exits = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._exits:
            for run in self._runs:
                self._exits.enter_context(run)
            for feeder in self._feeders:
                self._exits.enter_context(feeder)
            self._exits = self._exits.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._exits.__exit__(*error)

    def read(self, ticks: int) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
        """The next ticks' sound and pictures, see `TickBlock`.

        Raises:
            MediaError: when a decoder fails.
        """
        blocks = [run.read(ticks) for run in self._runs]
        return np.concatenate([block.pcm for block in blocks]), np.concatenate([block.frames for block in blocks])

    def finish(self) -> None:
        """Wait until all is fetched, and fed as far as anybody reads."""
        for feeder in self._feeders:
            feeder.wait(self._cancel)

    def failure_of(self, window: Window) -> Exception | None:
        """Why a window is incomplete, if it is.

        Raises:
            SourceLost, LibraryError, Cancelled: when that ends the whole analysis.
        """
        failures = [failure for feeder in self._feeders if (failure := feeder.failure_of(window)) is not None]
        for failure in failures:
            if isinstance(failure, FATAL):
                raise failure
        return failures[0] if failures else None

    def ended_before(self, window: Window) -> bool:
        """Whether the stream gave no more media for this window."""
        return any(feeder.ended_before(window) for feeder in self._feeders)

    def facts_of(self, window: Window) -> dict[str, Any]:
        """Bytes of media and repeated requests of a window."""
        return {
            "bytes": sum(feeder.bytes_of(window) for feeder in self._feeders),
            "retries": sum(feeder.retries_of(window) for feeder in self._feeders),
        }
