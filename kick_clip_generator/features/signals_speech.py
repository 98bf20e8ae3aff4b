"""The signals of what is said, as a transcript gives them; `core.signal_names` has their names."""

from __future__ import annotations

from kick_clip_generator.features.feature import Feature


def _feature(name: str, unit: str, high: float, meaning: str) -> Feature:
    return Feature(name, unit, 0.0, high, meaning, "transcript", "speech", 0.0, "extended")


SPEECH_FEATURES: tuple[Feature, ...] = (
    _feature("speech_hype", "1/s", 4.0, "words of excitement a second"),
    _feature("speech_rate", "1/s", 8.0, "words a second"),
    _feature("speech_pause", "", 1.0, "1 where no word is spoken in the tick"),
    _feature("sentence_end", "", 1.0, "1 where a sentence ends in the tick"),
)
