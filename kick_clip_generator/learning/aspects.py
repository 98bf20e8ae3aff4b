"""What the columns of a feature row are about, so that an aspect with many signals does not outvote the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.clip_row import HEURISTIC, STATISTICS

# What a clip sounds, looks and feels like, by the signals that tell it. Signals that are not named here are told by
# the first part of their name ("chat_rate" is of "chat"); each such word is an aspect of its own.
ASPECTS: dict[str, tuple[str, ...]] = {
    "loudness": (
        "rms", "rms_db", "presence_db", "level_db", "lufs_momentary", "lufs_short", "surge_db", "onset_strength",
        "burst_rate",
    ),
    "voice": (
        "pitch", "voiced_ratio", "voiced_db", "pitch_std", "pitch_jitter", "modulation_4hz", "voice_band_ratio",
        "voice_activity", "tracked_pitch", "formant_1", "formant_2", "formant_3",
    ),
    "timbre": (
        "spectral_centroid", "spectral_bandwidth", "spectral_rolloff", "spectral_flatness", "spectral_contrast", "zcr",
        "high_freq_ratio", "tempo", "beat_strength", *(f"mfcc_{n}" for n in range(1, 14)),
    ),
    "motion": ("motion", "motion_variance", "motion_area", "picture_change", "vector_speed", "vector_coherence"),
    "cuts": ("scene_cut", "scene_strength", "flash", "black_ratio", "overlay_change"),
    "picture": (
        "edge_density", "color_variance", "brightness", "brightness_change", "saturation", "picture_novelty",
        "face_count", "face_area",
    ),
    "speech": ("speech_hype", "speech_rate", "speech_pause", "sentence_end"),
    "length": ("event_s",),
}  # fmt: skip

_ASPECT_OF = {signal: aspect for aspect, signals in ASPECTS.items() for signal in signals}


def aspect_of(name: str) -> str:
    """The aspect of a column such as `rms_mean`."""
    if name in _ASPECT_OF:
        return _ASPECT_OF[name]
    signal, _, statistic = name.rpartition("_")
    if statistic not in STATISTICS:
        signal = name
    return _ASPECT_OF.get(signal, signal.partition("_")[0])


def aspects_of(names: Sequence[str]) -> NDArray[np.intp]:
    """The aspect of each column as a number from 0 on; -1 for what the heuristic made of a clip, which is none.

    Args:
        names: of the columns, in their order.
    """
    found = sorted({aspect_of(name) for name in names if name != HEURISTIC})
    return np.array([-1 if name == HEURISTIC else found.index(aspect_of(name)) for name in names], np.intp)


def heuristic_column(names: Sequence[str]) -> int:
    """Where the heuristic's score stands; -1 where it is not known."""
    return names.index(HEURISTIC) if HEURISTIC in names else -1
