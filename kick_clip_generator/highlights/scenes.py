"""The scenes of a stream, for the scene-based mode: from cut to cut, neither too long nor too short."""

from __future__ import annotations

import itertools
import math

import numpy as np

from kick_clip_generator.core.timeline import TICK_S, Timeline
from kick_clip_generator.highlights.config import V1Config

# With too many scenes, the shortest that may stay grows by this factor until few enough are left.
GROWTH = 1.25


def find_scenes(timeline: Timeline, config: V1Config) -> list[tuple[int, int]]:
    """Scenes as (first, stop) ticks that cover the stream, ascending.

    Cut at the threshold, split where longer than `split_above_s` into equal parts, joined with the next where shorter
    than `merge_below_s`; above `most_clips` scenes, ever longer ones are joined. A stream without cuts (or without a
    picture) is split into equal parts.

    Args:
        timeline: features of the stream.
        config: thresholds.
    """
    ticks = len(timeline)
    if not ticks:
        return []
    strength = timeline.column("scene_strength")
    # A cut lies inside its tick; the scene begins with the next.
    cuts = np.flatnonzero(strength >= config.scene_threshold) + 1
    edges = np.unique(np.concatenate([[0], cuts[cuts < ticks], [ticks]])).tolist()
    scenes = [part for first, stop in itertools.pairwise(edges) for part in _split(first, stop, config)]
    shortest_s = config.merge_below_s
    merged = _merged(scenes, shortest_s, config.split_above_s)
    while len(merged) > config.most_clips and shortest_s < timeline.duration_s:
        shortest_s *= GROWTH
        merged = _merged(merged, shortest_s, max(config.split_above_s, shortest_s * 2))
    return merged


def _split(first: int, stop: int, config: V1Config) -> list[tuple[int, int]]:
    parts = math.ceil((stop - first) * TICK_S / config.split_above_s)
    edges = np.linspace(first, stop, parts + 1).round().astype(int).tolist()
    return list(itertools.pairwise(edges))


def _merged(scenes: list[tuple[int, int]], shortest_s: float, longest_s: float) -> list[tuple[int, int]]:
    """Scenes under `shortest_s` joined with the one before, or where that would be too long, with the next."""
    merged: list[tuple[int, int]] = []
    for first, stop in scenes:
        if merged:
            before_first, before_stop = merged[-1]
            short = min(stop - first, before_stop - before_first) * TICK_S < shortest_s
            if short and (stop - before_first) * TICK_S <= longest_s:
                merged[-1] = (before_first, stop)
                continue
        merged.append((first, stop))
    return merged
