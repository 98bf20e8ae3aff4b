"""Every signal once: its name, unit, range, meaning, price and where the definition comes from.

The tables stand in `signals_audio` and `signals_video`. Core signals are the columns of the timeline, extended ones
those of `extended.ExtendedExtractor`; in both, sound comes before picture.
"""

from __future__ import annotations

from kick_clip_generator.core.kinds import Medium
from kick_clip_generator.features.chat import CHAT_FEATURES
from kick_clip_generator.features.feature import Feature, Tier
from kick_clip_generator.features.signals_audio import AUDIO_FEATURES
from kick_clip_generator.features.signals_speech import SPEECH_FEATURES
from kick_clip_generator.features.signals_video import VIDEO_FEATURES

__all__ = [
    "AUDIO_NAMES",
    "EXTENDED_AUDIO_NAMES",
    "EXTENDED_NAMES",
    "EXTENDED_VIDEO_NAMES",
    "FEATURES",
    "FEATURES_VERSION",
    "NAMES",
    "OTHER_FEATURES",
    "VIDEO_NAMES",
    "Feature",
]

# Part of a job's identity: results of other versions are not continued. Change it with any definition.
FEATURES_VERSION = "4"


def _names(medium: Medium, tier: Tier) -> tuple[str, ...]:
    table = AUDIO_FEATURES if medium == "audio" else VIDEO_FEATURES
    return tuple(feature.name for feature in table if feature.tier == tier)


AUDIO_NAMES = _names("audio", "core")
VIDEO_NAMES = _names("video", "core")
NAMES = AUDIO_NAMES + VIDEO_NAMES
EXTENDED_AUDIO_NAMES = _names("audio", "extended")
EXTENDED_VIDEO_NAMES = _names("video", "extended")
EXTENDED_NAMES = EXTENDED_AUDIO_NAMES + EXTENDED_VIDEO_NAMES

# Columns that a timeline may have beside those of the media.
OTHER_FEATURES = CHAT_FEATURES + SPEECH_FEATURES

# In the order of `NAMES + EXTENDED_NAMES`.
FEATURES: tuple[Feature, ...] = tuple(
    sorted(AUDIO_FEATURES + VIDEO_FEATURES, key=lambda feature: (feature.tier, feature.medium))
)
