"""Which quality of a source is read: the cheapest that is good enough for the analysis, the wanted one for clips."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from kick_clip_generator.core.records import Rendition, Source
from kick_clip_generator.core.settings import Settings

# Below it a picture is for a preview or the analysis, and its sound may be, too.
CHEAP_HEIGHT_PX = 480


def ranked(renditions: Iterable[Rendition]) -> tuple[Rendition, ...]:
    """Cheapest first: audio only, then by height, frame rate and bitrate; those of unknown height go by bitrate."""

    def cost(rendition: Rendition) -> tuple[bool, int, float, float]:
        return (
            rendition.has_video is not False,
            rendition.height_px,
            _known(rendition.fps),
            _known(rendition.bitrate_bps),
        )

    return tuple(sorted(renditions, key=cost))


def with_sound(pictures: Iterable[Rendition], sounds: Iterable[Rendition]) -> tuple[Rendition, ...]:
    """Give each rendition that has no sound one that is kept apart: cheap sound to small pictures, the best to others.

    Args:
        pictures: those with `has_audio` False get an `audio_url`; others stay as they are.
        sounds: audio-only renditions that fit them.
    """
    offered = ranked(sounds)
    if not offered:
        return tuple(pictures)
    return tuple(
        replace(picture, audio_url=offered[0 if picture.height_px < CHEAP_HEIGHT_PX else -1].url)
        if picture.has_audio is False
        else picture
        for picture in pictures
    )


def for_analysis(source: Source, settings: Settings) -> Rendition:
    """The cheapest rendition with a picture of at least `analysis_height`; else the largest; else sound alone."""
    pictures = [rendition for rendition in source.renditions if rendition.has_video is not False]
    high_enough = [rendition for rendition in pictures if rendition.height_px >= settings.analysis_height]
    unknown = [rendition for rendition in pictures if not rendition.height_px]
    if high_enough or unknown:
        return (high_enough or unknown)[0]
    return (pictures or source.renditions)[-1]


def for_clips(source: Source, settings: Settings) -> Rendition:
    """The best rendition, or the best of at most the wanted height; the lowest when all are higher."""
    if settings.quality == "best":
        return source.renditions[-1]
    wanted_px = int(settings.quality.removesuffix("p"))
    pictures = [rendition for rendition in source.renditions if rendition.has_video is not False]
    fitting = [rendition for rendition in pictures if rendition.height_px <= wanted_px]
    return fitting[-1] if fitting else (pictures or source.renditions)[0]


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value
