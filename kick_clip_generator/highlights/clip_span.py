"""What to cut around an event: a lead-in to understand it, and a tail for the reaction."""

from __future__ import annotations

import numpy as np

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.baseline import Array

LEAD_IN_S = 4.0
# The start looks this far to both sides for a scene cut, or else for the calmest tick.
REACH_S = 1.5
TAIL_S = 2.0
# The tail goes on while the excitement is above this share of the event's peak.
STILL_EXCITED = 0.5
# Part of a clip of fixed length that lies before the peak.
BEFORE_PEAK = 1 / 3
CUT_STRENGTH = 0.5


def fixed_clip(event: Span, peak_s: float, duration_s: float, bounds: Span) -> Span:
    """A clip of a given length: a third before the peak, moved so that the whole event is inside where it fits.

    Always `duration_s` long unless the stream is shorter.
    """
    duration_s = min(duration_s, bounds.duration_s)
    start_s = peak_s - BEFORE_PEAK * duration_s
    if duration_s >= event.duration_s:
        start_s = min(max(start_s, event.end_s - duration_s), event.start_s)
    start_s = min(max(start_s, bounds.start_s), bounds.end_s - duration_s)
    return Span(start_s, start_s + duration_s)


def chosen_clip(
    event: Span, peak_s: float, *, excitement: Array, cuts: Array, bounds: Span, min_s: float, max_s: float
) -> Span:
    """A clip whose ends are chosen.

    Args:
        event, peak_s: the moment.
        excitement: evidence per tick over `bounds`, no NaN.
        cuts: scene-cut strength in 0-1 per tick over `bounds`, NaN where unknown.
        bounds: the stream; no clip leaves it.
        min_s, max_s: limits of the length; a stream shorter than `min_s` is taken whole.
    """
    start_s = _quiet_start(event, excitement, cuts, bounds)
    end_s = _after_reaction(event, excitement, bounds)
    if end_s - start_s > max_s:
        return fixed_clip(event, peak_s, max_s, bounds)
    if end_s - start_s < min_s:
        missing_s = min_s - (end_s - start_s)
        start_s, end_s = start_s - missing_s / 2, end_s + missing_s / 2
        start_s, end_s = start_s - max(0.0, end_s - bounds.end_s), end_s + max(0.0, bounds.start_s - start_s)
    return Span(max(start_s, bounds.start_s), min(end_s, bounds.end_s))


def _quiet_start(event: Span, excitement: Array, cuts: Array, bounds: Span) -> float:
    wanted_s = event.start_s - LEAD_IN_S
    low = max(0, _tick(wanted_s - REACH_S, bounds))
    high = min(len(excitement), _tick(wanted_s + REACH_S, bounds) + 1)
    if high <= low:
        return bounds.start_s
    strength = np.nan_to_num(cuts[low:high], nan=0.0)
    if strength.max() >= CUT_STRENGTH:
        # A cut lies inside its tick; the clip starts behind it.
        return bounds.start_s + (low + int(strength.argmax()) + 1) * TICK_S
    return bounds.start_s + (low + int(excitement[low:high].argmin())) * TICK_S


def _after_reaction(event: Span, excitement: Array, bounds: Span) -> float:
    first, stop = _tick(event.start_s, bounds), _tick(event.end_s, bounds)
    still = STILL_EXCITED * float(excitement[first:stop].max(initial=0.0))
    while still > 0 and stop < len(excitement) and excitement[stop] > still:
        stop += 1
    return min(bounds.start_s + stop * TICK_S + TAIL_S, bounds.end_s)


def _tick(time_s: float, bounds: Span) -> int:
    return round((time_s - bounds.start_s) / TICK_S)
