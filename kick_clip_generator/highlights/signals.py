"""The signals that detection may listen to: their weights, what they are called, and how small a change is no change.

A weight is keyed by `<feature>_mean`, the name under which the same figure stands in a clip's feature row. Evidence is
the weighted sum of the signals' robust z values, so a weight says how much evidence one σ of that signal is worth, and
a negative one that the signal speaks against a highlight.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.kinds import Medium

SUFFIX = "_mean"

# Not a feature of its own but computed from the MFCCs, see `variation`.
VARIATION = "timbre_variation"

# Words of signals that are told as a multiple of their baseline, see `reasons`.
CHAT = "chat"


@dataclass(frozen=True, slots=True)
class Signal:
    """What detection knows of a feature.

    Attributes:
        medium: whose evidence it is part of.
        words: what people read in a reason; signals with the same words are shown as one.
        floor: the least spread that counts as one σ, in the feature's unit, so that the jitter of a dead channel is
            not taken for excitement.
        direction: -1 where a low value is what the words mean.
    """

    medium: Medium
    words: str
    floor: float
    direction: int = 1


def _signals() -> dict[str, Signal]:
    table = {
        "rms": Signal("audio", "loudness", 1e-3),
        "rms_db": Signal("audio", "loudness", 1.0),
        "spectral_centroid": Signal("audio", "brightness of the sound", 50.0),
        "spectral_bandwidth": Signal("audio", "brightness of the sound", 50.0),
        "spectral_rolloff": Signal("audio", "brightness of the sound", 100.0),
        "spectral_flatness": Signal("audio", "hiss", 0.01),
        "zcr": Signal("audio", "brightness of the sound", 0.005),
        "onset_strength": Signal("audio", "sharp onsets", 0.1),
        "tempo": Signal("audio", "beat", 10.0),
        "beat_strength": Signal("audio", "beat", 0.05),
        "high_freq_ratio": Signal("audio", "brightness of the sound", 0.02),
        "voice_band_ratio": Signal("audio", "crowd-like noise", 0.03),
        "presence_db": Signal("audio", "loudness", 1.0),
        "spectral_contrast": Signal("audio", "tones over noise", 0.5),
        "burst_rate": Signal("audio", "laughs and claps", 0.5),
        "modulation_4hz": Signal("audio", "laughs and claps", 0.05),
        "surge_db": Signal("audio", "outburst after quiet", 1.0),
        "level_db": Signal("audio", "loudness", 1.0),
        "lufs_momentary": Signal("audio", "loudness", 1.0),
        "lufs_short": Signal("audio", "loudness", 1.0),
        "pitch": Signal("audio", "pitch of the voice", 5.0),
        "voiced_ratio": Signal("audio", "voice", 0.05),
        "voiced_db": Signal("audio", "loudness of the voice", 1.0),
        "pitch_std": Signal("audio", "lively voice", 0.2),
        "pitch_jitter": Signal("audio", "lively voice", 0.005),
        VARIATION: Signal("audio", "lively timbre", 1.0),
        "motion": Signal("video", "motion", 0.5),
        "motion_variance": Signal("video", "motion", 10.0),
        "edge_density": Signal("video", "detail of the picture", 0.005),
        "color_variance": Signal("video", "color", 10.0),
        "brightness": Signal("video", "light of the picture", 2.0),
        "brightness_change": Signal("video", "flashes", 0.5),
        "scene_cut": Signal("video", "cuts", 0.1),
        "motion_area": Signal("video", "motion", 0.01),
        "saturation": Signal("video", "color", 2.0),
        "flash": Signal("video", "flashes", 1.0),
        "scene_strength": Signal("video", "cuts", 0.05),
        "black_ratio": Signal("video", "black picture", 0.05),
        "picture_change": Signal("video", "motion", 0.5),
        "overlay_change": Signal("video", "overlays", 0.005),
        "speech_hype": Signal("speech", "hype words", 0.2),
        "speech_rate": Signal("speech", "fast speech", 0.3),
        "chat_rate": Signal("chat", CHAT, 0.1),
        "chat_chatters": Signal("chat", CHAT, 1.0),
        "chat_voices": Signal("chat", CHAT, 1.0),
        "chat_laughs": Signal("chat", "laughing in the chat", 0.05),
        "chat_shouts": Signal("chat", "shouts and emotes in the chat", 0.05),
        "chat_repeats": Signal("chat", "copies in the chat", 0.05),
    }
    table |= {f"mfcc_{n}": Signal("audio", "timbre", 2.0) for n in range(1, 14)}
    # The second coefficient is the slope of the spectrum: high when the lows outweigh the highs.
    table["mfcc_2"] = Signal("audio", "brightness of the sound", 3.0, direction=-1)
    # Low third to fifth coefficients are a spectrum that bulges between 0.7 and 3 kHz over weak lows and highs: many
    # voices at once. Engines, wind, thunder, alarms and one person talking do not lower them together.
    table |= {f"mfcc_{n}": Signal("audio", "crowd-like noise", 3.0, direction=-1) for n in (3, 4, 5)}
    return table


SIGNALS: Mapping[str, Signal] = MappingProxyType(_signals())

AUDIO_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "rms_db_mean": 0.4,
        "rms_mean": 0.1,
        "presence_db_mean": 0.4,
        "voice_band_ratio_mean": 0.5,
        "zcr_mean": 0.3,
        "onset_strength_mean": -0.3,
        "mfcc_2_mean": -0.3,
        "mfcc_3_mean": -0.8,
        "mfcc_4_mean": -1.0,
        "mfcc_5_mean": -0.6,
        # What tells people from machines and weather: development streams, means over weights that were shaken by
        # ±30 %, AP 0.834 without, 0.884 at 0.6, 0.895 at 1.0, 0.897 at 1.4.
        VARIATION + SUFFIX: 1.0,
    }
)

VIDEO_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"motion_mean": 0.6, "motion_variance_mean": 1.0, "edge_density_mean": 0.2}
)

SPEECH_WEIGHTS: Mapping[str, float] = MappingProxyType({"speech_hype_mean": 1.0, "speech_rate_mean": 0.5})

# What was tried: docs/decisions/0019.
CHAT_WEIGHTS: Mapping[str, float] = MappingProxyType({"chat_voices_mean": 0.8, "chat_laughs_mean": 0.2})


def checked_weights(weights: Mapping[str, float], medium: Medium) -> dict[str, float]:
    """Weights by feature name, without the suffix.

    Raises:
        InputError: for a name that is no documented signal of the medium, or a weight that is no finite number.
    """
    known = [name + SUFFIX for name, signal in SIGNALS.items() if signal.medium == medium]
    checked: dict[str, float] = {}
    for key, weight in weights.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"names are like {known[0]}."
            raise InputError(f"There is no {medium} weight called {key!r}; {hint}")
        if not abs(float(weight)) < 1e6:
            raise InputError(f"The weight {key} must be a finite number, got {weight!r}.")
        checked[key.removesuffix(SUFFIX)] = float(weight)
    return checked
