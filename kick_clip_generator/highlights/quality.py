"""How good a clip is to watch, beside how exciting its moment is: what it shows, how it begins and ends, dead time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.timeline import TICK_S
from kick_clip_generator.highlights.baseline import Array
from kick_clip_generator.highlights.clip_window import ClipWindow
from kick_clip_generator.highlights.config import V2Config

# Excitement is in units of what scores one half; a clip that holds this much on average is as exciting as they get.
FULL_EXCITEMENT = 2.0
# Under this, nothing happens.
DEAD_EXCITEMENT = 0.04
# A story builds up before its peak and has time to end: the peak lies between these shares of the clip.
PEAK_FROM, PEAK_TO = 0.2, 0.8
CALM_S = 2.0
CALM_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Quality:
    """What makes the quality of a clip; each part is 0-1 before its weight.

    Attributes:
        excitement: mean over the clip.
        boundary: how well it begins and ends.
        narrative: the peak in the middle, a calm beginning, a calm end: a third each.
        dead_time: share of the clip in which nothing happens.
        boost: factor of the anchor.
        total: all of it, at least 0.
    """

    excitement: float
    boundary: float
    narrative: float
    dead_time: float
    boost: float
    total: float


def measure_quality(
    highlight: Highlight, window: ClipWindow, *, excitement: Array, bounds: Span, config: V2Config
) -> Quality:
    """The quality of a highlight's clip.

    Args:
        highlight: with its peak and the score of its anchor.
        window: its clip, inside `bounds`.
        excitement: of all media, per tick over `bounds`, no NaN, in units of what scores one half.
        bounds: the stream.
        config: the weights.
    """
    first, stop = (round((time_s - bounds.start_s) / TICK_S) for time_s in (window.span.start_s, window.span.end_s))
    inside = np.maximum(excitement[first : max(stop, first + 1)], 0.0)
    mean = min(float(inside.mean()) / FULL_EXCITEMENT, 1.0) if len(inside) else 0.0
    boundary = (window.start_score + window.end_score) / 2
    narrative = _narrative(inside, (highlight.peak_s - window.span.start_s) / max(window.span.duration_s, TICK_S))
    dead = float((inside < DEAD_EXCITEMENT).mean()) if len(inside) else 1.0
    boost = 1 + config.quality_anchor_boost * highlight.score
    total = (
        config.quality_w_excitement * mean
        + config.quality_w_boundary * boundary
        + config.quality_w_narrative * narrative
        - config.quality_w_dead_time * dead
    ) * boost
    return Quality(mean, boundary, narrative, dead, boost, max(0.0, total))


def _narrative(inside: Array, peak_at: float) -> float:
    calm = round(CALM_S / TICK_S)
    loud = CALM_SHARE * float(inside.max(initial=0.0))
    parts = (
        PEAK_FROM <= peak_at <= PEAK_TO,
        bool(len(inside)) and float(inside[:calm].mean()) <= loud,
        bool(len(inside)) and float(inside[-calm:].mean()) <= loud,
    )
    return sum(parts) / len(parts)
