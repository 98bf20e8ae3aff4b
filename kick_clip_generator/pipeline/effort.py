"""How much of the picture is decoded: all of it, the references, or brief glimpses behind the keyframes.

A source that offers nothing smaller than 1080p60 costs thirty times the CPU of its 160p rendition. Its glimpses cost a
twelfth of that, sound and features included, and find nearly the same highlights (docs/decisions/0010). They are
measured once per keyframe, on a scale of their own, so one timeline holds either glimpses or the whole stream, never
both. Where keyframes turn out to be too rare, the references of all windows are decoded instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.core.timeline import TICK_S, FloatArray, Timeline
from kick_clip_generator.features.registry import VIDEO_NAMES
from kick_clip_generator.media.commands import Pictures

# From here on (720p at 25 fps) a decode costs more than the sound and the features.
LARGE_PX_PER_S = 1280 * 720 * 25
# From here on (720p at 50 fps, 1080p at 25) only glimpses are cheap enough. They are shorter than the pictures of slow
# animation last, which then seem to stand still and jump, so they are not used where references do.
HUGE_PX_PER_S = 1280 * 720 * 50

# Where a rendition does not tell its frame rate, platforms' usual one.
USUAL_FPS = 30.0

# What is further from any glimpse is unknown.
REACH_S = 4.0
# Streaming software puts a keyframe every 2 s: glimpses lose little there. Every 4 s they lose 0.02 of mean AP,
# and much more of motion alone (docs/decisions/0010). Who asks for keyframes takes encoders' usual 250 pictures at 60 a
# second as well.
NEAR_S = 3.0
USUAL_S = 4.5


@dataclass(frozen=True, slots=True)
class Effort:
    """The passes over a source.

    Attributes:
        first: what is decoded of every window.
        second: what is decoded of every window instead where glimpses turn out to be too far apart.
        apart_s: how far that is.
    """

    first: Pictures
    second: Pictures | None = None
    apart_s: float = math.inf


FULL = Effort("all")
REFERENCES = Effort("references")
GLIMPSES = Effort("glimpses", "references", NEAR_S)
RARE_GLIMPSES = Effort("glimpses", "references", USUAL_S)


def choose_effort(source: Source, rendition: Rendition, settings: Settings) -> Effort:
    """What `ANALYSIS_EFFORT` means for a rendition.

    Args:
        source: live it can not be read twice, and how far apart its keyframes are is not known before.
        rendition: what the analysis reads.
        settings: `analysis_effort` is "auto", "full" or "keyframes".
    """
    if settings.analysis_effort == "full" or rendition.has_video is False:
        return FULL
    if source.live:
        return REFERENCES
    if settings.analysis_effort == "keyframes":
        return RARE_GLIMPSES
    return GLIMPSES if pixels_per_s(rendition) >= HUGE_PX_PER_S else REFERENCES


def is_large(rendition: Rendition) -> bool:
    """Whether its pictures cost more to decode than all the rest of the analysis."""
    return rendition.has_video is not False and pixels_per_s(rendition) >= LARGE_PX_PER_S


def pixels_per_s(rendition: Rendition) -> float:
    """Pixels in a second of its pictures; 0 where their size is not known."""
    return rendition.width_px * rendition.height_px * (USUAL_FPS if math.isnan(rendition.fps) else rendition.fps)


def filled(timeline: Timeline) -> Timeline:
    """A copy of a timeline of glimpses that knows the picture between them too, up to `REACH_S` from each.

    Of three glimpses in a row the median counts, for one that holds a cut, or a pause within motion, speaks for nothing
    around it (`VideoFeatures` takes medians of five differences); between them lie straight lines. Neither alone is as
    good (docs/decisions/0010).
    """
    values = timeline.values.copy()
    at = np.arange(len(timeline))
    for name in VIDEO_NAMES:
        column = values[:, timeline.names.index(name)]
        known = np.flatnonzero(np.isfinite(column))
        if not len(known):
            continue
        after = np.clip(np.searchsorted(known, at), 0, len(known) - 1)
        before = np.maximum(after - 1, 0)
        distance = np.minimum(np.abs(known[after] - at), np.abs(known[before] - at))
        between = np.interp(at, known, _medians(column[known], known))
        column[:] = np.where(distance * TICK_S <= REACH_S, between, np.nan)
    return replace(timeline, values=values)


def _medians(told: FloatArray, ticks: NDArray[np.int64]) -> FloatArray:
    """Each glimpse's median with its neighbors, as far as those are within `USUAL_S`."""
    near = np.diff(ticks) * TICK_S <= USUAL_S
    before = np.append(np.nan, np.where(near, told[:-1], np.nan))
    after = np.append(np.where(near, told[1:], np.nan), np.nan)
    return np.asarray(np.nanmedian(np.stack([before, told, after]), axis=0), np.float32)


def glimpse_distance_s(timeline: Timeline) -> float:
    """Median time from one glimpse to the next in a timeline that is not filled; infinite with fewer than two."""
    known = np.flatnonzero(np.isfinite(timeline.column("motion")))
    return float(np.median(np.diff(known))) * TICK_S if len(known) > 1 else math.inf


def overlay(timeline: Timeline, first_tick: int, rows: FloatArray) -> None:
    """Write a window's rows into a timeline, in place; what they do not know stays what it was."""
    low, high = max(first_tick, timeline.first_tick), min(first_tick + len(rows), timeline.stop_tick)
    if high > low:
        there = timeline.values[low - timeline.first_tick : high - timeline.first_tick]
        new = rows[low - first_tick : high - first_tick]
        there[:] = np.where(np.isnan(new), there, new)
