"""Every signal once: its name, unit, range, meaning and where the definition comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Part of a job's identity: results of other versions are not continued. Change it with any definition.
FEATURES_VERSION = "1"


@dataclass(frozen=True, slots=True)
class Feature:
    """One signal on the tick grid.

    Attributes:
        name: column name, stable.
        unit: of the values; "" for a ratio.
        low, high: usual range of the values, for scales of charts; only ratios are held to it.
        meaning: a sentence for the user, with what silence or a missing past does to it.
        source: whose definition it is.
        medium: what it is computed from.
        context_s: seconds before the tick that the value depends on; a lead-in of that length makes it exact.
    """

    name: str
    unit: str
    low: float
    high: float
    meaning: str
    source: str
    medium: Literal["audio", "video"]
    context_s: float

    def __post_init__(self) -> None:
        if not (self.low < self.high and self.context_s <= 5.0):
            raise ValueError(f"expected low < high and at most 5 s of context for {self.name}, got {self}")


_FRAME_S = 0.064
_NO_ENERGY = "unknown where the sound is digital silence"


def _audio(
    name: str, unit: str, low: float, high: float, meaning: str, source: str, *, context_s: float = _FRAME_S
) -> Feature:
    return Feature(name, unit, low, high, meaning, source, "audio", context_s)


def _video(
    name: str, unit: str, low: float, high: float, meaning: str, source: str, *, context_s: float = 0.0
) -> Feature:
    return Feature(name, unit, low, high, meaning, source, "video", context_s)


FEATURES: tuple[Feature, ...] = (
    _audio("rms", "", 0, 1, "Loudness: root mean square of the samples, full scale 1", "librosa.feature.rms"),
    _audio("rms_db", "dBFS", -100, 0, "RMS in decibels; -100 is the floor, and silence", "librosa.amplitude_to_db"),
    _audio(
        "spectral_centroid",
        "Hz",
        0,
        8000,
        f"Center of mass of the spectrum: how bright it sounds; {_NO_ENERGY}",
        "librosa.feature.spectral_centroid",
    ),
    _audio(
        "spectral_bandwidth",
        "Hz",
        0,
        4000,
        f"Spread of the spectrum around its centroid; {_NO_ENERGY}",
        "librosa.feature.spectral_bandwidth, p=2",
    ),
    _audio(
        "spectral_rolloff",
        "Hz",
        0,
        8000,
        f"Frequency under which 85 % of the magnitude lies; {_NO_ENERGY}",
        "librosa.feature.spectral_rolloff",
    ),
    _audio(
        "spectral_flatness",
        "",
        0,
        1,
        f"0 for a tone, 1 for white noise; {_NO_ENERGY}",
        "librosa.feature.spectral_flatness",
    ),
    _audio("zcr", "", 0, 1, "Share of samples where the wave changes its sign", "librosa.feature.zero_crossing_rate"),
    _audio(
        "onset_strength",
        "dB",
        0,
        10,
        "Mean rise of the mel spectrum from one frame to the next: attacks, claps, syllables",
        "librosa.onset.onset_strength",
        context_s=0.08,
    ),
    _audio(
        "tempo",
        "BPM",
        60,
        200,
        "Strongest periodicity of the onsets of the last 5 s; unknown where there are none and for 5 s after a gap",
        "librosa.feature.tempo, lag interpolated",
        context_s=5.0,
    ),
    _audio(
        "beat_strength",
        "",
        0,
        1,
        "How periodic those onsets are: near 1 for a click track, about 0.2 for noise",
        "normalized autocorrelation of the onset envelope",
        context_s=5.0,
    ),
    *(
        _audio(
            f"mfcc_{n}",
            "dB",
            -500 if n == 1 else -200,
            500 if n == 1 else 200,
            "Overall level of the mel spectrum"
            if n == 1
            else f"Timbre: shape of the mel spectrum, cosine term {n - 1}",
            "librosa.feature.mfcc, 64 mel bands, floor -60 dB",
        )
        for n in range(1, 14)
    ),
    _audio("high_freq_ratio", "", 0, 1, f"Share of the energy at 2 kHz and above; {_NO_ENERGY}", "power spectrum"),
    _audio(
        "voice_band_ratio",
        "",
        0,
        1,
        f"Share of the energy in 300-3400 Hz: near 1 for voices, cheers and shouts; {_NO_ENERGY}",
        "power spectrum",
    ),
    _audio("presence_db", "dBFS", -100, 0, "Level of 1-4 kHz, where cheers and shouts carry", "power spectrum"),
    _video(
        "motion",
        "levels",
        0,
        60,
        "Mean absolute luma change over a quarter of a second, median of the last five, so that a cut is no motion",
        "OpenCV absdiff, luma 160x90",
        context_s=3.0,
    ),
    _video(
        "motion_variance",
        "levels²",
        0,
        2000,
        "Variance of that change over the picture: high when a part moves, low when all of it does",
        "OpenCV absdiff, luma 160x90",
        context_s=3.0,
    ),
    _video("edge_density", "", 0, 1, "Share of pixels on an edge: how busy the picture is", "OpenCV Canny 100/200"),
    _video(
        "color_variance",
        "levels²",
        0,
        4000,
        "Variance of U plus variance of V over the picture: how colorful it is",
        "moments of the chroma planes",
    ),
    _video("brightness", "levels", 0, 255, "Mean luma", "luma 160x90"),
    _video(
        "brightness_change",
        "levels",
        0,
        60,
        "Mean absolute change of brightness over a quarter of a second: flashes, fades",
        "luma 160x90",
        context_s=0.5,
    ),
    _video(
        "scene_cut",
        "",
        0,
        1,
        "How far a change of content stands out from the changes before and after it; a hard cut is near 1",
        "PySceneDetect AdaptiveDetector, one frame late",
        context_s=1.5,
    ),
)

NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
AUDIO_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.medium == "audio")
VIDEO_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES if feature.medium == "video")
