"""From evidence to events: a moment is where a stretch of 5 to 20 s stands out of what comes before and after it.

Every start and every duration is tried (a box filter over scales, as in scale-space blob detection); the response is
the mean evidence inside minus a share of the mean beside. So the scale that fits best gives the span, and a level that
stays up (rain, an engine, music) answers only where it changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.baseline import Array

# Every duration on the grid: with six steps of about 1.3, both ends were within 2 s of 61 % of the moments of the
# development streams, with these of 67 %.
DURATIONS_S = tuple(step * TICK_S for step in range(10, 41))
# What comes before and after; with 10 s the mean AP at IoU 0.5 was 0.811, with 8 s 0.823.
FLANK_S = 8.0

# How much of the flanks' evidence counts against an event.
FLANK_SHARE = 0.75

# The same mean over a longer stretch is more evidence, but less than the square root of the duration that independent
# ticks would give. A stretch of this length counts once.
UNIT_S = 10.0
DURATION_POWER = 0.25

# Rounding leaves this much where nothing happens.
NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A moment that stands out.

    Attributes:
        first, stop: its ticks, counted from the timeline's first row.
        response: evidence in all, above 0.
        parts: evidence per signal; they add up to the response.
        peak: the tick of the strongest evidence inside.
    """

    first: int
    stop: int
    response: float
    parts: Array
    peak: int

    def span(self, start_s: float) -> Span:
        """In stream time, for a timeline that starts at `start_s`."""
        return Span(start_s + self.first * TICK_S, start_s + self.stop * TICK_S)


def find_events(parts: Array, *, count: int, min_gap_s: float) -> list[Candidate]:
    """The moments that stand out most, none overlapping another.

    Args:
        parts: evidence per tick and signal, shape `(ticks, signals)`, no NaN.
        count: at most this many.
        min_gap_s: least distance between two peaks.

    Returns:
        best first.
    """
    parts = _speaking_for(parts)
    total = parts.sum(axis=1)
    if not len(total):
        return []
    sums = _running_sum(parts)
    smooth = _smooth(total)
    # Marked tick by tick: of a thousand boxes a few are free, and asking each found event anew took most of the time.
    taken, near = (np.zeros(len(total), dtype=bool) for _ in range(2))
    reach = math.ceil(min_gap_s / TICK_S) - 1
    found: list[Candidate] = []
    for response, first, stop in _ranked_boxes(total):
        if len(found) >= count:
            break
        if taken[first] or taken[stop - 1] or taken[first:stop].any():
            continue
        peak = first + int(np.argmax(smooth[first:stop]))
        if near[peak]:
            continue
        taken[first:stop] = True
        near[max(0, peak - reach) : peak + reach + 1] = True
        found.append(Candidate(first, stop, response, box_response(sums, first, stop), peak))
    return found


def events_at(parts: Array, stretches: Sequence[tuple[int, int]]) -> list[Candidate]:
    """Given stretches as candidates, those that stand out at all.

    Args:
        parts: evidence per tick and signal, shape `(ticks, signals)`, no NaN.
        stretches: (first, stop) ticks.

    Returns:
        best first.
    """
    parts = _speaking_for(parts)
    sums = _running_sum(parts)
    smooth = _smooth(parts.sum(axis=1)) if len(parts) else parts.sum(axis=1)
    found: list[Candidate] = []
    for first, stop in stretches:
        responses = box_response(sums, first, stop)
        if responses.sum() > NOTHING:
            peak = first + int(np.argmax(smooth[first:stop]))
            found.append(Candidate(first, stop, float(responses.sum()), responses, peak))
    return sorted(found, key=lambda candidate: (-candidate.response, candidate.first))


def _speaking_for(parts: Array) -> Array:
    """Evidence against is no evidence for what lies beside it.

    An ordinary stretch after an engine (which speaks against a crowd) scored 0.6 in the demo. Development streams: mean
    AP 0.840 without this, 0.853 with it; hit@N 0.75, 0.81.
    """
    return np.where(parts.sum(axis=1, keepdims=True) > 0, parts, 0.0)


def box_response(sums: Array, first: int, stop: int) -> Array:
    """Response of one stretch per signal.

    Args:
        sums: running sum of the evidence, shape `(ticks + 1, signals)`.
        first, stop: the stretch, in ticks.
    """
    flank = round(FLANK_S / TICK_S)
    before, after = max(0, first - flank), min(len(sums) - 1, stop + flank)
    inside = (sums[stop] - sums[first]) / (stop - first)
    beside = [(sums[high] - sums[low]) / (high - low) for low, high in ((before, first), (stop, after)) if high > low]
    # Without flanks (a stream as short as the event) the baseline itself, 0, is beside.
    contrast = inside - FLANK_SHARE * (sum(beside) / len(beside) if beside else 0.0)
    return np.asarray(contrast * ((stop - first) * TICK_S / UNIT_S) ** DURATION_POWER)


def _ranked_boxes(total: Array) -> Sequence[tuple[float, int, int]]:
    """All local maxima over time at every scale: (response, first tick, stop tick), best first."""
    sums = _running_sum(total)
    firsts, stops, responses = [], [], []
    for duration_s in DURATIONS_S:
        width = min(round(duration_s / TICK_S), len(total))
        first = np.arange(len(total) - width + 1)
        response = _responses(sums, first, first + width)
        padded = np.concatenate([[-np.inf], response, [-np.inf]])
        top = np.flatnonzero((response > NOTHING) & (response >= padded[:-2]) & (response > padded[2:]))
        firsts.append(first[top])
        stops.append(first[top] + width)
        responses.append(response[top])
    first, stop, response = np.concatenate(firsts), np.concatenate(stops), np.concatenate(responses)
    order = np.lexsort((stop, first, -response))
    return list(zip(response[order].tolist(), first[order].tolist(), stop[order].tolist(), strict=True))


def _responses(sums: Array, first: NDArray[np.intp], stop: NDArray[np.intp]) -> Array:
    """`box_response` for many stretches of one width at once."""
    flank = round(FLANK_S / TICK_S)
    before, after = np.maximum(0, first - flank), np.minimum(len(sums) - 1, stop + flank)
    left = np.divide(sums[first] - sums[before], first - before, out=np.zeros(len(first)), where=first > before)
    right = np.divide(sums[after] - sums[stop], after - stop, out=np.zeros(len(first)), where=after > stop)
    sides = (first > before).astype(np.float64) + (after > stop)
    beside = (left + right) / np.maximum(sides, 1)
    width = stop - first
    inside = (sums[stop] - sums[first]) / width
    return np.asarray((inside - FLANK_SHARE * beside) * (width * TICK_S / UNIT_S) ** DURATION_POWER)


def _running_sum(values: Array) -> Array:
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])


def _smooth(values: Array) -> Array:
    """Mean over three ticks, so that a single click is no peak."""
    padded = np.pad(values, 1, mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3)
