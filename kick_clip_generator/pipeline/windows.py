"""What a window gives, put together from the pieces in which it could be read."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Span, Window
from kick_clip_generator.core.timeline import FloatArray, Timeline, first_tick_at, tick_containing
from kick_clip_generator.features.registry import AUDIO_NAMES, NAMES
from kick_clip_generator.library.records import WindowStatus

log = logging.getLogger(__name__)

# A medium may end a tick or two before the other; less than that missing is still a complete window.
TICKS_LOST_AT_THE_END = 2

_IS_AUDIO = np.array([name in AUDIO_NAMES for name in NAMES])


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What a window gave.

    Attributes:
        window: which one.
        status: "done", "partial" (ticks are missing in a medium that the stream has) or "failed" (all are).
        first_tick: absolute tick of row 0.
        rows: float32, one column per signal, the owned ticks, NaN where unknown.
        detail: "bytes" of media, "retries", "coverage" (share of ticks known, per medium), "gaps" (lost stretches as
            `[start, end]`, in seconds), and "error", the first one, if there was any.
        empty: nothing in it could be decoded, as behind the end of a stream.
    """

    window: Window
    status: WindowStatus
    first_tick: int
    rows: FloatArray
    detail: dict[str, Any] = field(default_factory=dict)
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What one piece of a window gave; fewer rows than the piece has ticks when it broke off at a new break.

    Attributes:
        rows: from `first_tick` on.
        known: whether there was sound, and picture, shape `(ticks, 2)`; None: where any of their signals is known.
        bytes, retries: of its fetching.
        error: why rows are missing, if any.
        empty: as in `WindowResult`.
    """

    first_tick: int
    rows: FloatArray
    known: NDArray[np.bool_] | None = None
    bytes: int = 0
    retries: int = 0
    error: str = ""
    empty: bool = False

    @property
    def stop_tick(self) -> int:
        return self.first_tick + len(self.rows)


def owned_ticks(window: Window) -> tuple[int, int]:
    """First tick and the one past the last, of those that lie in a window's own stretch whole."""
    return first_tick_at(window.own_start_s), tick_containing(window.end_s)


def pieces(window: Window, breaks_s: Sequence[float]) -> list[Window]:
    """A window, or the pieces that breaks leave of it, each with ticks of its own; no decoder can cross a break."""
    inside = [at_s for at_s in breaks_s if window.start_s < at_s < window.end_s]
    edges = itertools.pairwise([window.start_s, *inside, window.end_s])
    cut = [Window(window.n, start, end, max(start, window.own_start_s)) for start, end in edges]
    kept = [piece for piece in cut if owned_ticks(piece)[0] < owned_ticks(piece)[1]]
    return kept or [window]


def gap_free(todo: Sequence[Window], breaks_s: Sequence[float]) -> list[Window]:
    """The first of these pieces, as far as one decoder can read them in one go."""
    run = [todo[0]]
    for piece in todo[1:]:
        if piece.n != run[-1].n + 1 or piece.start_s in breaks_s:
            break
        run.append(piece)
    return run


def rest_of(piece: Window, part: Part) -> Window | None:
    """What is still to be read of a piece that broke off; None when it did not."""
    if part.stop_tick >= owned_ticks(piece)[1]:
        return None
    return dataclasses.replace(piece, own_start_s=part.stop_tick * 0.5)


def lost(
    piece: Window, breaks_s: Sequence[float], error: Exception, *, names: Sequence[str] = NAMES, **facts: Any
) -> Part:
    """The part of a piece that could not be read, up to the first break that showed inside it."""
    first, stop = owned_ticks(pieces(piece, breaks_s)[0])
    stop = max(first, stop)
    nothing = np.zeros((stop - first, 2), bool)
    return Part(
        first, np.full((stop - first, len(names)), np.nan, np.float32), known=nothing, error=str(error), **facts
    )


def joined(
    window: Window,
    parts: Sequence[Part],
    holes: Sequence[Span],
    *,
    has_audio: bool,
    has_video: bool,
    names: Sequence[str] = NAMES,
) -> WindowResult:
    """The result of a window; ticks that a break cuts in two stay unknown."""
    first, stop = min(part.first_tick for part in parts), max(part.stop_tick for part in parts)
    timeline = Timeline.unknown(names, first, stop)
    known = np.zeros((stop - first, 2), bool)
    for part in parts:
        timeline.put(part.first_tick, part.rows)
        known[part.first_tick - first : part.stop_tick - first] = _media_known(part)
    rows = timeline.values
    for hole in holes:
        # Decoders fill a hole inside a segment with silence and a still.
        low, high = tick_containing(hole.start_s) - first, first_tick_at(hole.end_s) - first
        rows[max(0, low) : max(0, high)] = np.nan
        known[max(0, low) : max(0, high)] = False
    errors = [part.error for part in parts if part.error]
    ticks_known = {
        medium: int(known[:, column].sum())
        for medium, column, present in (("audio", 0, has_audio), ("video", 1, has_video))
        if present
    }
    if not any(ticks_known.values()):
        status: WindowStatus = "failed" if len(rows) else "done"
    elif errors or min(ticks_known.values()) < len(rows) - TICKS_LOST_AT_THE_END:
        status = "partial"
    else:
        status = "done"
    detail: dict[str, Any] = {
        "bytes": sum(part.bytes for part in parts),
        "retries": sum(part.retries for part in parts),
        "coverage": {
            medium: round(ticks / len(rows), 4) if len(rows) else 1.0 for medium, ticks in ticks_known.items()
        },
    }
    gaps = [[round(hole.start_s, 3), round(hole.end_s, 3)] for hole in holes if hole.overlap_s(window.owned) > 0]
    if gaps:
        detail["gaps"] = gaps
    if errors:
        log.warning("Window %d is incomplete: %s", window.n, errors[0])
        detail["error"] = errors[0]
    return WindowResult(window, status, first, rows, detail, empty=all(part.empty for part in parts))


def _media_known(part: Part) -> NDArray[np.bool_]:
    if part.known is not None:
        return part.known
    known = ~np.isnan(part.rows)
    return np.stack([known[:, _IS_AUDIO].any(axis=1), known[:, ~_IS_AUDIO].any(axis=1)], axis=1)


def ended(result: WindowResult) -> WindowResult:
    """The last window of a stream whose length was not known: what lies behind the media is not missing."""
    known = np.flatnonzero(~np.isnan(result.rows).all(axis=1))
    rows = result.rows[: known[-1] + 1 if len(known) else 0]
    status: WindowStatus = result.status if "error" in result.detail else "done"
    return dataclasses.replace(result, rows=rows, status=status)
