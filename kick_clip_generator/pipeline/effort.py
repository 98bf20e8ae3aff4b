"""How much of the picture is decoded, and where: all of it, less of it, or a look ahead before the promising windows.

A source that offers nothing smaller than 1080p60 costs thirty times the CPU of its 160p rendition. Three ways, measured
in docs/decisions/0010: every picture; the references alone, at 0.6 of the cost and the same accuracy; and two passes,
of which the first has all the sound but only glimpses of the picture behind each keyframe (a quarter of the cost), and
the second decodes the references of the windows that the first found promising. Glimpses are measured as the whole
stream is, only less often, so the rows of both passes stand side by side in one timeline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kick_clip_generator.core.records import Rendition, Source, Window
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, detect
from kick_clip_generator.media.commands import Pictures

# From here on (720p at 25 fps) a decode is worth sparing; below it costs no more than the sound and the features.
LARGE_PX_PER_S = 1280 * 720 * 25

# Where a rendition does not tell its frame rate, platforms' usual one.
USUAL_FPS = 30.0

# The second pass stops at this share of the windows: in ten lively minutes all of them are promising. The more of them,
# the nearer the accuracy comes to that of one whole pass (decision 0010), and the cost.
DENSE_SHARE = 1 / 3
# So few windows are cheaper to decode at once than to look at twice.
FEW_WINDOWS = 6

# A glimpse speaks for the time up to the middle between it and the next, when that is not further than this.
REACH_S = 4.0
# Glimpses further apart tell too little of the motion between them: all windows are decoded densely then.
TOO_FAR_APART_S = 6.0


@dataclass(frozen=True, slots=True)
class Effort:
    """The passes over a source.

    Attributes:
        first: what is decoded of every window.
        second: what is decoded of the promising windows afterwards; None: there is no second pass.
    """

    first: Pictures
    second: Pictures | None = None


FULL = Effort("all")
REFERENCES = Effort("references")
GLIMPSES = Effort("glimpses", "references")


def choose_effort(source: Source, rendition: Rendition, settings: Settings) -> Effort:
    """What `ANALYSIS_EFFORT` means for a rendition.

    Args:
        source: live it can not be read twice, so it never is.
        rendition: what the analysis reads.
        settings: `analysis_effort` is "auto", "full" or "keyframes".
    """
    if settings.analysis_effort == "full" or rendition.has_video is False:
        return FULL
    if settings.analysis_effort == "keyframes":
        return REFERENCES if source.live else GLIMPSES
    fps = USUAL_FPS if math.isnan(rendition.fps) else rendition.fps
    large = rendition.width_px * rendition.height_px * fps >= LARGE_PX_PER_S
    return REFERENCES if large else FULL


def filled(timeline: Timeline) -> Timeline:
    """A copy of a first pass's timeline in which each glimpse speaks for the ticks around it, up to `REACH_S` away."""
    values = timeline.values.copy()
    at = np.arange(len(timeline))
    for name in VIDEO_NAMES:
        column = values[:, timeline.names.index(name)]
        known = np.flatnonzero(np.isfinite(column))
        if not len(known):
            continue
        after = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
        before = np.maximum(after - 1, 0)
        nearest = known[np.where(np.abs(known[after] - at) < np.abs(at - known[before]), after, before)]
        column[:] = np.where(np.abs(nearest - at) * TICK_S <= REACH_S, column[nearest], np.nan)
    return replace(timeline, values=values)


def dense_windows(timeline: Timeline, windows: Sequence[Window], config: DetectionConfig) -> list[Window]:
    """The windows that the second pass decodes: those of the most promising moments, in order of time.

    Args:
        timeline: of the first pass, not filled; it may hold gaps.
        windows: those of the analysis.
        config: how highlights are looked for.

    Returns:
        All windows where there are few, or where glimpses are too rare to tell; else at most `DENSE_SHARE` of them.
    """
    # Of a stream whose length was not known, more windows were planned than there are.
    windows = [window for window in windows if window.own_start_s < timeline.end_s]
    if len(windows) <= FEW_WINDOWS or glimpse_distance_s(timeline) > TOO_FAR_APART_S:
        return windows
    # Also moments that are too weak yet: a dense look may raise them.
    wide = replace(config, max_audio=MOST_PER_KIND, max_video=MOST_PER_KIND, min_audio_score=0.0, min_video_score=0.0)
    chosen: set[int] = set()
    for highlight in detect(filled(timeline), wide).merged:
        needed = {window.n for window in windows if window.owned.overlap_s(highlight.event) > 0}
        if len(chosen | needed) > DENSE_SHARE * len(windows):
            break
        chosen |= needed
    return [window for window in windows if window.n in chosen]


def glimpse_distance_s(timeline: Timeline) -> float:
    """Median time from one glimpse to the next; infinite where there are fewer than two."""
    known = np.flatnonzero(np.isfinite(timeline.column("motion")))
    return float(np.median(np.diff(known))) * TICK_S if len(known) > 1 else math.inf


def overlay(timeline: Timeline, first_tick: int, rows: FloatArray) -> None:
    """Write a dense window's rows over the glimpses, in place; what the dense look lost, the glimpses still tell."""
    low, high = max(first_tick, timeline.first_tick), min(first_tick + len(rows), timeline.stop_tick)
    if high > low:
        there = timeline.values[low - timeline.first_tick : high - timeline.first_tick]
        dense = rows[low - first_tick : high - first_tick]
        there[:] = np.where(np.isnan(dense), there, dense)
