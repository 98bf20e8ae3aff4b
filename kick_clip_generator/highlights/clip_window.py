"""What to cut around an anchor: a lead-in to understand it, the event, and a tail for the reaction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.boundaries import Boundaries
from kick_clip_generator.highlights.config import V2Config

# The tail goes on while the excitement is above this share of the event's peak.
STILL_EXCITED = 0.5
# Part of a clip of fixed length that lies before the peak.
BEFORE_PEAK = 1 / 3
# Of two boundaries the nearer to where the clip would end without any is better by this much a second.
FARTHER_PER_S = 0.03
# What a reaction needs behind the event to be seen.
TAIL_S = 2.0
# So far an end of a clip is moved to the next pause when it lies inside a word.
TO_PAUSE_S = 3.0
# What a listener needs before the event to understand it.
LEAD_IN_S = 2.0


@dataclass(frozen=True, slots=True)
class ClipWindow:
    """A clip and why it ends where it does.

    Attributes:
        span: what is cut.
        start_score, end_score: of the boundaries it was cut at, see `boundaries`; 0 for a fallback.
    """

    span: Span
    start_score: float
    end_score: float


def fixed_window(event: Span, peak_s: float, duration_s: float, bounds: Span, boundaries: Boundaries) -> ClipWindow:
    """A clip of a given length: a third before the peak, moved so that the whole event is inside where it fits.

    Always `duration_s` long unless the stream is shorter. Where it would begin or end inside a word, it is moved by
    up to `TO_PAUSE_S` as long as it loses nothing of the event.
    """
    duration_s = min(duration_s, bounds.duration_s)
    start_s = peak_s - BEFORE_PEAK * duration_s
    if duration_s >= event.duration_s:
        start_s = min(max(start_s, event.end_s - duration_s), event.start_s)
    start_s = min(max(start_s, bounds.start_s), bounds.end_s - duration_s)
    start_s = _slid(start_s, duration_s, event, peak_s, bounds, boundaries)
    return _window(start_s, start_s + duration_s, bounds, boundaries)


def chosen_window(
    event: Span,
    peak_s: float,
    *,
    excitement: Array,
    boundaries: Boundaries,
    bounds: Span,
    min_s: float,
    max_s: float,
    config: V2Config,
) -> ClipWindow:
    """A clip whose ends are the best boundaries in reach of its anchor.

    The whole event is inside, and so is the reaction: it does not end while the excitement is above its half. It
    neither begins nor ends inside a word while there is a pause where it may; beyond that up to `TO_PAUSE_S` away.

    Args:
        event, peak_s: the moment.
        excitement: per tick over `bounds`, no NaN.
        boundaries: over `bounds`.
        bounds: the stream; no clip leaves it.
        min_s, max_s: limits of the length; a stream shorter than `min_s` is taken whole.
        config: how far to look.
    """
    latest_s = min(peak_s - config.pre_min, event.start_s)
    earliest_s = min(peak_s - config.pre_max, latest_s - LEAD_IN_S)
    wanted_s = min(peak_s - config.pre_fallback, latest_s - LEAD_IN_S)
    start_s = _best(boundaries, earliest_s, latest_s, wanted_s, bounds, config)

    first_s = max(peak_s + config.post_min, _end_of_reaction(event, peak_s, excitement, bounds, config))
    last_s = max(peak_s + config.post_max, first_s)
    wanted_s = min(max(first_s + TAIL_S, peak_s + config.post_fallback), last_s)
    end_s = _best(boundaries, first_s, last_s, wanted_s, bounds, config)

    if end_s - start_s > max_s:
        return fixed_window(event, peak_s, max_s, bounds, boundaries)
    if end_s - start_s < min_s:
        missing_s = min_s - (end_s - start_s)
        start_s, end_s = start_s - missing_s / 2, end_s + missing_s / 2
        start_s, end_s = start_s - max(0.0, end_s - bounds.end_s), end_s + max(0.0, bounds.start_s - start_s)
    # The clip only grows, so the event and the reaction stay inside.
    start_s, end_s = max(start_s, bounds.start_s), min(end_s, bounds.end_s)
    start_s = _to_pause(start_s, max(start_s - TO_PAUSE_S, bounds.start_s, end_s - max_s), bounds, boundaries)
    end_s = _to_pause(end_s, min(end_s + TO_PAUSE_S, bounds.end_s, start_s + max_s), bounds, boundaries)
    return _window(start_s, end_s, bounds, boundaries)


def _slid(start_s: float, duration_s: float, event: Span, peak_s: float, bounds: Span, boundaries: Boundaries) -> float:
    """The start nearest to this one with which the fewest ends lie inside a word."""

    def ends_inside_words(one_s: float) -> int:
        return sum(_inside_word(time_s, bounds, boundaries) for time_s in (one_s, one_s + duration_s))

    def fits(one_s: float) -> bool:
        shown = Span(one_s, one_s + duration_s)
        whole = event.overlap_s(shown) >= event.overlap_s(Span(start_s, start_s + duration_s)) - 1e-9
        within = bounds.start_s <= one_s and shown.end_s <= bounds.end_s + 1e-9
        return whole and within and shown.start_s <= peak_s <= shown.end_s

    if not ends_inside_words(start_s):
        return start_s
    reach = round(TO_PAUSE_S / TICK_S)
    starts_s = [start_s + step * TICK_S for step in sorted(range(-reach, reach + 1), key=abs)]
    return min((one_s for one_s in starts_s if one_s == start_s or fits(one_s)), key=ends_inside_words)


def _to_pause(time_s: float, last_s: float, bounds: Span, boundaries: Boundaries) -> float:
    """The nearest time from here to there that is not inside a word; here where there is none."""
    steps = int(abs(last_s - time_s) / TICK_S + 1e-6)
    times_s = (time_s + np.copysign(step * TICK_S, last_s - time_s) for step in range(steps + 1))
    return next((float(one) for one in times_s if not _inside_word(one, bounds, boundaries)), time_s)


def _inside_word(time_s: float, bounds: Span, boundaries: Boundaries) -> bool:
    return boundaries.inside_word((time_s - bounds.start_s) / TICK_S)


def _best(
    boundaries: Boundaries, low_s: float, high_s: float, wanted_s: float, bounds: Span, config: V2Config
) -> float:
    """The best boundary in a stretch, the nearer to what is wanted the better; what is wanted where there is none."""
    low, high = (min(max(_tick(time_s, bounds), 0), len(boundaries.scores) - 1) for time_s in (low_s, high_s))
    ticks = np.arange(low, high + 1)
    wanted = min(max(_tick(wanted_s, bounds), low), high)
    scores = boundaries.scores[ticks]
    allowed = ~boundaries.inside_words[ticks]
    if allowed.any() and not allowed.all():
        # Where a pause is in reach, no place inside a word is.
        ticks, scores = ticks[allowed], scores[allowed]
    worth = scores - FARTHER_PER_S * np.abs(ticks - wanted) * TICK_S
    worth[scores < config.boundary_min_score] = -np.inf
    best = worth.argmax() if np.isfinite(worth).any() else np.abs(ticks - wanted).argmin()
    return bounds.start_s + int(ticks[best]) * TICK_S


def _end_of_reaction(event: Span, peak_s: float, excitement: Array, bounds: Span, config: V2Config) -> float:
    """Where the excitement behind the event falls below half of its peak; at most `post_max` after the peak."""
    first, stop = _tick(event.start_s, bounds), _tick(event.end_s, bounds)
    still = STILL_EXCITED * float(excitement[first:stop].max(initial=0.0))
    last = min(max(stop, _tick(peak_s + config.post_max, bounds)), len(excitement))
    while still > 0 and stop < last and excitement[stop] > still:
        stop += 1
    return bounds.start_s + stop * TICK_S


def _window(start_s: float, end_s: float, bounds: Span, boundaries: Boundaries) -> ClipWindow:
    span = Span(max(start_s, bounds.start_s), min(end_s, bounds.end_s))
    last = len(boundaries.scores) - 1
    start, end = (boundaries.scores[min(_tick(time_s, bounds), last)] for time_s in (span.start_s, span.end_s))
    return ClipWindow(span, float(start), float(end))


def _tick(time_s: float, bounds: Span) -> int:
    return round((time_s - bounds.start_s) / TICK_S)
