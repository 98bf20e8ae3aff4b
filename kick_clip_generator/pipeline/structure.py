"""The structure of a stream, to be checked by eye and ear: silences, dips, peaks, cuts, black, freezes."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.core.records import Span
from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.features.derived import (
    audio_dips,
    black_spans,
    cuts,
    find_peaks,
    freezes,
    silences,
)

# A peak of the loudness stands this far over what is around it, and this far from a higher one.
PEAK_PROMINENCE_DB = 6.0
PEAK_DISTANCE_S = 5.0


def structure_of(timeline: Timeline) -> dict[str, Any]:
    """What lies where, in seconds of the stream.

    Args:
        timeline: the core signals.

    Returns:
        `silences`, `audio_dips`, `black` and `freezes` as `[start, end]`, `cuts` and `loudness_peaks` as the middle of
        their tick; nothing where the signal is not known.
    """
    first = timeline.first_tick
    level = timeline.column("rms_db")
    peaks = find_peaks(level, prominence=PEAK_PROMINENCE_DB, distance=round(PEAK_DISTANCE_S / TICK_S))
    cut = cuts(timeline.column("scene_strength"), first_tick=first)
    return {
        "silences": _pairs(silences(level, first_tick=first)),
        "audio_dips": _pairs(audio_dips(level, first_tick=first)),
        "loudness_peaks": [timeline.start_s + (tick + 0.5) * TICK_S for tick in peaks.tolist()],
        "cuts": [(span.start_s + span.end_s) / 2 for span in cut],
        "black": _pairs(black_spans(timeline.column("black_ratio"), first_tick=first)),
        "freezes": _pairs(freezes(timeline.column("picture_change"), first_tick=first)),
    }


def _pairs(spans: list[Span]) -> list[list[float]]:
    return [[span.start_s, span.end_s] for span in spans]
