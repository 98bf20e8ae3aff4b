"""The one feature row of a clip, shared by ranking and training, so that a model sees what was shown.

Names are `<signal>_<statistic>`, e.g. `rms_mean`, `motion_max`; the statistics are those users of such tools know.
"""

from __future__ import annotations

import warnings

import numpy as np

from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import FloatArray, Timeline

STATISTICS = ("mean", "max", "std", "contrast")

# Excitement is relative to what the stream sounded and looked like around the moment; two minutes on each side is long
# against an event (about 10 s) and short against a change of scene.
SURROUNDINGS_S = 120.0

# What the heuristic made of the moment, so that learning begins where the heuristic stands.
HEURISTIC = "heuristic_score"


def highlight_row(timeline: Timeline, highlight: Highlight) -> dict[str, float]:
    """The row of a highlight: `clip_row` of its event, and its `heuristic_score`."""
    return {**clip_row(timeline, highlight.event), HEURISTIC: highlight.heuristic_score}


def clip_row(timeline: Timeline, event: Span) -> dict[str, float]:
    """Statistics of every signal over an event.

    Args:
        timeline: features of the stream.
        event: the moment; ticks that start inside count.

    Returns:
        `<signal>_mean`, `_max`, `_std` over the event, `<signal>_contrast` (mean over the event minus the median of
        the two minutes on each side, divided by their median absolute deviation; NaN where that is 0), and `event_s`,
        its length in seconds. NaN where a signal is unknown.
    """
    inside = timeline.between(event.start_s, event.end_s).values
    around = timeline.between(event.start_s - SURROUNDINGS_S, event.end_s + SURROUNDINGS_S).values
    row: dict[str, float] = {"event_s": event.duration_s}
    with warnings.catch_warnings():
        # All-NaN columns are the normal case of a missing medium; NaN is the right answer.
        warnings.simplefilter("ignore", RuntimeWarning)
        means = _over_ticks(np.nanmean, inside, timeline)
        peaks = _over_ticks(np.nanmax, inside, timeline)
        spreads = _over_ticks(np.nanstd, inside, timeline)
        medians = _over_ticks(np.nanmedian, around, timeline)
        deviations = _over_ticks(np.nanmedian, np.abs(around - medians), timeline)
        contrasts = (means - medians) / np.where(deviations > 0, deviations, np.nan)
    for column, name in enumerate(timeline.names):
        row[f"{name}_mean"] = float(means[column])
        row[f"{name}_max"] = float(peaks[column])
        row[f"{name}_std"] = float(spreads[column])
        row[f"{name}_contrast"] = float(contrasts[column])
    return row


def _over_ticks(statistic: object, values: FloatArray, timeline: Timeline) -> FloatArray:
    if len(values) == 0:
        return np.full(len(timeline.names), np.nan, np.float32)
    return np.asarray(statistic(values, axis=0), np.float32)  # type: ignore[operator]
