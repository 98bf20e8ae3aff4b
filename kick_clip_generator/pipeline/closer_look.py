"""The closer look: extended signals of the windows that are worth it, each window by itself.

The core pass reads a stream in long runs whose decoders keep their state. Here a window is fetched with its lead-in of
five seconds, its sound is decoded, and its pictures are looked at in the media themselves.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.core.timeline import TICK_S, Timeline, first_tick_at
from kick_clip_generator.features.extended import ExtendedExtractor
from kick_clip_generator.features.extended_video import Media
from kick_clip_generator.features.registry import EXTENDED_NAMES
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.pipeline.lanes import FATAL, DecodeOptions, Lanes
from kick_clip_generator.pipeline.ticks import in_runs
from kick_clip_generator.pipeline.windows import Part, WindowResult, lost, owned_ticks
from kick_clip_generator.sources.tracks import Tracks

log = logging.getLogger(__name__)

# A closer look costs several times what the core signals do, so it ends at this share of a stream, the best moments
# first; long streams never come near it.
MOST_OF_THE_WINDOWS = 0.1


def promising_windows(timeline: Timeline, windows: Sequence[Window], config: DetectionConfig) -> list[Window]:
    """The windows that hold the best moments, at most `MOST_OF_THE_WINDOWS` of all but at least one, ascending.

    Args:
        timeline: the core signals, and those of the chat where there is one.
        windows: those of the analysis.
        config: how highlights are looked for; moments below its scores count too, for they may become clips yet.
    """
    most = max(1, int(MOST_OF_THE_WINDOWS * len(windows)))
    wide = replace(config, min_audio_score=0.0, min_video_score=0.0, min_chat_score=0.0)
    chosen: set[int] = set()
    for highlight in detect(timeline, wide).merged:
        needed = {window.n for window in windows if window.owned.overlap_s(highlight.event) > 0}
        if not chosen or len(chosen | needed) <= most:
            chosen |= needed
    return [window for window in windows if window.n in chosen]


def look_closer(
    tracks: Tracks, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[WindowResult]:
    """The extended signals of windows, one after another, as `ticks.measure` does for the core's.

    Yields:
        One result per window; its columns are `EXTENDED_NAMES`.

    Raises:
        SourceLost: when nothing more can be read; results already yielded stand.
        Cancelled: when the token is up; results already yielded stand.
    """
    extractor = ExtendedExtractor()

    def look(
        tracks: Tracks, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
    ) -> Iterator[Part | None]:
        cancel.check()
        yield _look_at(tracks, windows[0], extractor, options, cancel)

    return in_runs(look, tracks, windows, options=options, cancel=cancel, names=EXTENDED_NAMES)


class _Forward:
    """A file that can't be positioned: else libavformat looks for an index at its end, which readers do not write."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read


def _look_at(
    tracks: Tracks, window: Window, extractor: ExtendedExtractor, options: DecodeOptions, cancel: CancelToken
) -> Part | None:
    """The part of one window; None when the stream ended before it."""
    try:
        offsets_s = [track.reader.start(window) for track in tracks.tracks]
    except FATAL:
        raise
    except ClipGeneratorError as error:
        log.warning("Window %d could not be opened: %s", window.n, error)
        return lost(window, tracks.breaks_s, error, names=EXTENDED_NAMES, empty=isinstance(error, MediaError))
    position = first_tick_at(max(*offsets_s, window.start_s))
    first_owned, stop = owned_ticks(window)
    if stop <= position:
        return Part(stop, np.empty((0, len(EXTENDED_NAMES)), np.float32), known=np.empty((0, 2), bool))
    ticks, skip = stop - position, max(0, first_owned - position)
    kept = options.temp_dir / f"look_{window.n:05d}_{threading.get_ident()}.media"
    lanes = Lanes(tracks, [window], offsets_s, first_tick=position, options=options, cancel=cancel, keep=kept)
    try:
        with lanes:
            pcm, _ = lanes.read(ticks)
            lanes.finish()
        zero_s = next((at_s for track, at_s in zip(tracks.tracks, offsets_s, strict=True) if track.video), 0.0)
        with kept.open("rb") if kept.is_file() else contextlib.nullcontext() as file:
            media = Media(_Forward(file), position * TICK_S - zero_s) if file is not None else None
            rows, known = extractor.rows(pcm, ticks, media=media, first_tick=position, skip=skip)
    except Cancelled:
        raise
    except Exception as error:  # a window whose media defeat the decoder or a signal must not end the run
        cancel.check()
        log.warning("Window %d defeated the closer look", window.n, exc_info=not isinstance(error, MediaError))
        reason = lanes.failure_of(window) or error
        return lost(window, tracks.breaks_s, reason, names=EXTENDED_NAMES, empty=True, **lanes.facts_of(window))
    finally:
        kept.unlink(missing_ok=True)
    failure = lanes.failure_of(window)
    owned = slice(skip, None)
    if failure is not None:
        # What follows a new break is read by itself.
        owned = slice(skip, max(skip, lost(window, tracks.breaks_s, failure).stop_tick - position))
    return Part(
        position + skip,
        rows[owned],
        known=known[owned],
        error="" if failure is None else str(failure),
        **lanes.facts_of(window),
    )
