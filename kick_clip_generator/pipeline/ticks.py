"""From windows to ticks: fetch, decode and measure a stream, one gap-free run after another.

A run is a stretch of consecutive windows of one batch that are read through one pair of decoders. It ends at the end of
the batch, and at every window that could not be had; the next run starts behind it. Batches lie at absolute boundaries,
so that one worker or five give the same bits.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kick_clip_generator.core.errors import Cancelled, ClipGeneratorError, LibraryError, MediaError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Window
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.extract import FeatureExtractor
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES
from kick_clip_generator.library.records import WindowStatus
from kick_clip_generator.media.decode import DecodeRun
from kick_clip_generator.pipeline.feeder import Feeder
from kick_clip_generator.sources.reader import Reader

log = logging.getLogger(__name__)

# Starting a decoder per window costs 1.37-1.59 x one whole decode; twenty windows make that about 1 %.
WINDOWS_PER_BATCH = 20

# Where the length of a stream is not known, this many windows in a row without media are its end, and are not reported.
EMPTY_WINDOWS_AT_THE_END = 3

# A medium may end a tick or two before the other; less than that missing is still a complete window.
TICKS_LOST_AT_THE_END = 2


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a window gave.

    Attributes:
        window: which one.
        status: "done", "partial" (ticks are missing in a medium that the stream has) or "failed" (all are).
        first_tick: absolute tick of row 0.
        rows: float32 `(ticks, len(NAMES))`, the owned ticks, NaN where unknown.
        detail: bytes fetched, coverage per medium, the error if there was one.
    """

    window: Window
    status: WindowStatus
    first_tick: int
    rows: FloatArray
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """How windows become ticks: the ffmpeg program, the frame rate, and where a window's media lie meanwhile."""

    ffmpeg: str
    frame_rate_hz: float
    temp_dir: Path


def measure(
    reader: Reader, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[WindowResult]:
    """Measure windows one after another, in order of time.

    Args:
        reader: an open reader of the rendition to analyse.
        windows: those still to do, ascending.
        options: see `DecodeOptions`.
        cancel: looked at before each window.

    Yields:
        One result per window; after the last media of a stream whose length was not known, none for the rest.

    Raises:
        Cancelled: when the token is up; results already yielded stand.
    """
    if not math.isnan(reader.info.duration_s):
        yield from _measure_all(reader, windows, options=options, cancel=cancel)
        return
    # One result is held back until the next shows that the stream went on: the last window ends with the media.
    held: list[WindowResult] = []
    for result in _measure_all(reader, windows, options=options, cancel=cancel):
        if not result.detail.get("empty"):
            yield from held
            held = []
        held.append(result)
        if len(held) > EMPTY_WINDOWS_AT_THE_END:
            break
    if held and not held[0].detail.get("empty"):
        yield _ended(held[0])


def _ended(result: WindowResult) -> WindowResult:
    """The last window of a stream whose length was not known: what lies behind the media is not missing."""
    known = np.flatnonzero(~np.isnan(result.rows).all(axis=1))
    rows = result.rows[: known[-1] + 1 if len(known) else 0]
    status: WindowStatus = result.status if "error" in result.detail else "done"
    return dataclasses.replace(result, rows=rows, status=status)


def _measure_all(
    reader: Reader, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[WindowResult]:
    breaks_s = reader.breaks_s
    for _, batch in itertools.groupby(windows, key=lambda window: window.n // WINDOWS_PER_BATCH):
        todo = [piece for window in batch for piece in _pieces(window, breaks_s)]
        parts: list[WindowResult] = []
        while todo:
            run = _gap_free(todo, breaks_s)
            for result in _measure_run(reader, run, options=options, cancel=cancel):
                if result is None:
                    return
                parts.append(result)
                todo = todo[1:]
                if not todo or todo[0].n != result.window.n:
                    yield _joined(parts)
                    parts = []


def _pieces(window: Window, breaks_s: Sequence[float]) -> list[Window]:
    """A window, or the pieces that discontinuities leave of it, each with ticks of its own; no decoder can cross."""
    inside = [at_s for at_s in breaks_s if window.start_s < at_s < window.end_s]
    edges = itertools.pairwise([window.start_s, *inside, window.end_s])
    pieces = [Window(window.n, start, end, max(start, window.own_start_s)) for start, end in edges]
    kept = [piece for piece in pieces if operator.lt(*_owned_ticks(piece))]
    return kept or [window]


def _gap_free(pieces: Sequence[Window], breaks_s: Sequence[float]) -> list[Window]:
    """The first pieces, as far as one decoder can read them in one go."""
    run = [pieces[0]]
    for piece in pieces[1:]:
        if piece.n != run[-1].n + 1 or piece.start_s in breaks_s:
            break
        run.append(piece)
    return run


def _joined(parts: Sequence[WindowResult]) -> WindowResult:
    """The result of a window from those of its pieces; ticks that a discontinuity cuts in two stay unknown."""
    if len(parts) == 1:
        return parts[0]
    first, stop = parts[0].first_tick, parts[-1].first_tick + len(parts[-1].rows)
    timeline = Timeline.unknown(NAMES, first, stop)
    for part in parts:
        timeline.put(part.first_tick, part.rows)
    statuses = {part.status for part in parts}
    status = statuses.pop() if len(statuses) == 1 else "partial"
    window = Window(parts[0].window.n, parts[0].window.start_s, parts[-1].window.end_s, parts[0].window.own_start_s)
    detail: dict[str, Any] = {"bytes": sum(part.detail["bytes"] for part in parts), "pieces": [p.detail for p in parts]}
    errors = [part.detail["error"] for part in parts if "error" in part.detail]
    return WindowResult(window, status, first, timeline.values, detail | ({"error": errors[0]} if errors else {}))


def _measure_run(
    reader: Reader, windows: Sequence[Window], *, options: DecodeOptions, cancel: CancelToken
) -> Iterator[WindowResult | None]:
    """Results up to and including the first window that failed; None when the stream ended before the window."""
    cancel.check()
    try:
        offset_s = reader.start(windows[0])
    except Cancelled:
        raise
    except ClipGeneratorError as error:
        log.warning("Window %d could not be opened: %s", windows[0].n, error)
        yield _lost(windows[0], error)
        return

    position = first_tick_at(max(offset_s, windows[0].start_s))
    extractor = FeatureExtractor(options.frame_rate_hz)
    with (
        DecodeRun(
            options.ffmpeg,
            container=reader.container,
            offset_s=offset_s,
            first_tick=position,
            audio=reader.info.has_audio,
            video=reader.info.has_video,
            frame_rate_hz=options.frame_rate_hz,
        ) as run,
        Feeder(reader, windows, run, options.temp_dir) as feeder,
    ):
        for window in windows:
            cancel.check()
            first_owned, stop = _owned_ticks(window)
            if stop <= position:
                yield WindowResult(window, "done", stop, np.empty((0, len(NAMES)), np.float32), {"bytes": 0})
                continue
            try:
                block = run.read(stop - position)
                rows = extractor.push(block.pcm, block.frames, stop - position)
            except Cancelled:
                raise
            except Exception as error:  # a window whose media defeat the decoder or a feature must not end the run
                cancel.check()
                log.warning(
                    "Window %d could not be analysed: %s", window.n, error, exc_info=not isinstance(error, MediaError)
                )
                yield _lost(window, error, feeder.bytes_of(window))
                return
            failure = feeder.failure_of(window)
            if isinstance(failure, (Cancelled, LibraryError)):
                raise failure
            if failure is None and feeder.ended_before(window) and np.isnan(rows).all():
                yield None
                return
            owned = rows[max(0, first_owned - position) :]
            position = stop
            yield _judged(window, stop - len(owned), owned, reader, feeder.bytes_of(window), failure)
            if failure is not None:
                return


def _owned_ticks(window: Window) -> tuple[int, int]:
    return first_tick_at(window.own_start_s), tick_containing(window.end_s)


def _lost(window: Window, error: Exception, fetched_bytes: int = 0) -> WindowResult:
    first, stop = _owned_ticks(window)
    rows = np.full((max(0, stop - first), len(NAMES)), np.nan, np.float32)
    return WindowResult(
        window,
        "failed",
        first,
        rows,
        {"error": str(error), "bytes": fetched_bytes, "empty": isinstance(error, MediaError)},
    )


def _judged(
    window: Window, first_tick: int, rows: FloatArray, reader: Reader, fetched_bytes: int, failure: Exception | None
) -> WindowResult:
    known = ~np.isnan(rows)
    columns = np.array([name in AUDIO_NAMES for name in NAMES])
    media = [
        (name, mask)
        for name, mask, present in (
            ("audio", columns, reader.info.has_audio),
            ("video", ~columns, reader.info.has_video),
        )
        if present
    ]
    ticks_known = {name: int(known[:, mask].any(axis=1).sum()) for name, mask in media}
    detail: dict[str, Any] = {"bytes": fetched_bytes, "ticks": len(rows), "ticks_known": ticks_known}
    if failure is not None:
        log.warning("Window %d is incomplete: %s", window.n, failure)
        detail["error"] = str(failure)
    if not any(ticks_known.values()):
        status: WindowStatus = "failed" if len(rows) else "done"
    elif failure is not None or min(ticks_known.values()) < len(rows) - TICKS_LOST_AT_THE_END:
        status = "partial"
    else:
        status = "done"
    return WindowResult(window, status, first_tick, rows, detail)
