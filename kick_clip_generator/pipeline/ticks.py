"""From windows to ticks: fetch, decode and measure a stream, one gap-free run after another.

A run is a stretch of consecutive windows of one batch that are read through one decoder per track. It ends at the end
of the batch and at every break: a discontinuity, or a piece of the stream that turned out to be lost; the next starts
behind it. Batches lie at absolute boundaries, so that one worker or five give the same bits.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, MediaError, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.core.timeline import first_tick_at
from kick_clip_generator.features.extract import FeatureExtractor
from kick_clip_generator.features.registry import NAMES
from kick_clip_generator.pipeline.lanes import FATAL, DecodeOptions, Lanes
from kick_clip_generator.pipeline.windows import (
    Part,
    WindowResult,
    ended,
    gap_free,
    joined,
    lost,
    owned_ticks,
    pieces,
    rest_of,
)
from kick_clip_generator.sources.tracks import Tracks

log = logging.getLogger(__name__)

# Starting a decoder per window costs 1.37-1.59 x one whole decode; twenty windows make that about 1 %.
WINDOWS_PER_BATCH = 20

# Where the length of a stream is not known, this many windows in a row without media are its end, and are not reported.
EMPTY_WINDOWS_AT_THE_END = 3

Run = Callable[..., Iterator[Part | None]]


def batches(windows: Sequence[Window]) -> list[list[Window]]:
    """Windows by batch; a batch is what decoders are started for."""
    groups = itertools.groupby(windows, key=lambda window: window.n // WINDOWS_PER_BATCH)
    return [list(batch) for _, batch in groups]


def measure(
    tracks: Tracks, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[WindowResult]:
    """Measure windows one after another, in order of time.

    Args:
        tracks: the open rendition to analyse.
        windows: those still to do, ascending.
        options: see `DecodeOptions`.
        cancel: looked at before each window.

    Yields:
        One result per window; after the last media of a stream whose length was not known, none for the rest.

    Raises:
        SourceLost: when nothing more can be read; results already yielded stand.
        Cancelled: when the token is up; results already yielded stand.
    """
    if not math.isnan(tracks.duration_s):
        yield from in_runs(_measure_run, tracks, windows, options=options, cancel=cancel)
        return
    # One result is held back until the next shows that the stream went on: the last window ends with the media.
    held: list[WindowResult] = []
    for result in in_runs(_measure_run, tracks, windows, options=options, cancel=cancel):
        if not result.empty:
            yield from held
            held = []
        held.append(result)
        if len(held) > EMPTY_WINDOWS_AT_THE_END:
            break
    if held and not held[0].empty:
        yield ended(held[0])


def in_runs(
    run: Run,
    tracks: Tracks,
    windows: Sequence[Window],
    *,
    options: DecodeOptions,
    cancel: CancelToken,
    names: Sequence[str] = NAMES,
) -> Iterator[WindowResult]:
    """The results of windows, put together from what `run` makes of their gap-free stretches.

    Args:
        run: called with `(tracks, windows, options=…, cancel=…)`, a gap-free run; gives the part of each, in order, up
            to and including the first that broke off, or of the first few; None when the stream ended before a window.
        names: the columns of the parts.
        tracks, windows, options, cancel: as `measure`.

    Raises:
        As `measure`.
    """
    for batch in batches(windows):
        whole = {window.n: window for window in batch}
        todo = list(whole.values())
        parts: list[Part] = []
        while todo:
            # Looked at anew for each run: reading shows more of them.
            breaks_s = tracks.breaks_s
            todo = [piece for window in todo for piece in pieces(window, breaks_s)]
            for part in run(tracks, gap_free(todo, breaks_s), options=options, cancel=cancel):
                piece = todo.pop(0)
                if part is not None:
                    parts.append(part)
                    if rest := rest_of(piece, part):
                        # It is the run's last one. Not `break`: that would end the run as if it had failed.
                        todo.insert(0, rest)
                        continue
                if parts and (part is None or not todo or todo[0].n != piece.n):
                    yield joined(
                        whole[piece.n],
                        parts,
                        tracks.holes,
                        has_audio=tracks.has_audio,
                        # Glimpses leave most ticks unknown, which is no loss.
                        has_video=tracks.has_video and not (options.pictures == "glimpses" and tracks.has_audio),
                        names=names,
                    )
                    parts = []
                if part is None:
                    return


def _measure_run(
    tracks: Tracks, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[Part | None]:
    """Parts up to and including the first one that broke off; None when the stream ended before the window."""
    cancel.check()
    first = windows[0]
    try:
        offsets_s = [track.reader.start(first) for track in tracks.tracks]
    except FATAL:
        raise
    except ClipGeneratorError as error:
        if isinstance(error, SourceError) and error.outcome == "ended":
            yield None
            return
        log.warning("Window %d could not be opened: %s", first.n, error)
        yield lost(first, tracks.breaks_s, error, empty=isinstance(error, MediaError))
        return

    position = first_tick_at(max(*offsets_s, first.start_s))
    accelerated = bool(options.accelerator.name)
    extractor = FeatureExtractor(options.frame_rate_hz, glimpses=options.pictures == "glimpses")
    with Lanes(tracks, windows, offsets_s, first_tick=position, options=options, cancel=cancel) as lanes:
        for window in windows:
            cancel.check()
            first_owned, stop = owned_ticks(window)
            if stop <= position:
                yield Part(stop, np.empty((0, len(NAMES)), np.float32))
                continue
            try:
                rows = extractor.push(*lanes.read(stop - position), stop - position)
            except Cancelled:
                raise
            except Exception as error:  # a window whose media defeat the decoder or a feature must not end the run
                cancel.check()
                if accelerated and isinstance(error, MediaError):
                    # Not one part is given, so the same windows come again, in software.
                    options.accelerator.give_up(error)
                    return
                log.warning("Window %d defeated the analysis", window.n, exc_info=not isinstance(error, MediaError))
                reason = lanes.failure_of(window) or error
                empty = isinstance(error, MediaError)
                yield lost(window, tracks.breaks_s, reason, empty=empty, **lanes.facts_of(window))
                return
            failure = lanes.failure_of(window)
            if accelerated and isinstance(failure, MediaError):
                options.accelerator.give_up(failure)
                return
            if failure is None and lanes.ended_before(window) and np.isnan(rows).all():
                yield None
                return
            owned = rows[max(0, first_owned - position) :]
            part = Part(stop - len(owned), owned, **lanes.facts_of(window))
            if failure is not None:
                # What follows a new break is read by the next run.
                kept = lost(window, tracks.breaks_s, failure).stop_tick - part.first_tick
                yield dataclasses.replace(part, rows=owned[: max(0, kept)], error=str(failure))
                return
            position = stop
            yield part
