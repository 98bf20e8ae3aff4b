"""What detection knows of each medium, in one table: what it listens to, and what it says about what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kick_clip_generator.core.kinds import MEDIA, Medium
from kick_clip_generator.highlights.signals import AUDIO_WEIGHTS, CHAT_WEIGHTS, SPEECH_WEIGHTS, VIDEO_WEIGHTS

__all__ = ["ABOUT", "MEDIA", "About", "Medium"]


@dataclass(frozen=True, slots=True)
class About:
    """One medium.

    Attributes:
        weights: evidence per σ of each signal, unless the user gives others.
        half_score: evidence (weighted σ over ten seconds) that makes a score of one half.
        found: what a moment of it is called.
        sequence: what it is called instead when several cuts lie in it; None where cuts mean nothing.
        missing: what to tell who asked for this medium alone, where nothing of it is known; None for what every
            stream is expected to have, of which all are told.
        excitement: its share of what is exciting in all.
        exact: whether its evidence says to the second where a moment begins and ends.
    """

    weights: Mapping[str, float]
    half_score: float
    found: str
    sequence: str | None = None
    missing: str | None = None
    excitement: float = 1.0
    exact: bool = True


# Half scores, and how the odds grow (`anchors.ODDS_POWER`), are such that a score is about the share of highlights with
# that score that were right on the development streams, rounded towards caution (docs/decisions/0015, 0019).
ABOUT: Mapping[Medium, About] = MappingProxyType(
    {
        "audio": About(AUDIO_WEIGHTS, 3.2, "audio peak"),
        "video": About(VIDEO_WEIGHTS, 4.8, "action", sequence="action sequence"),
        "speech": About(
            SPEECH_WEIGHTS,
            2.0,
            "speech peak",
            missing="No speech: no transcript is known, and speech highlights come from words.",
            excitement=0.5,
            exact=False,
        ),
        "chat": About(
            CHAT_WEIGHTS,
            2.2,
            "chat peak",
            missing="No chat: none was given (--chat FILE), or too little was written.",
            excitement=0.5,
            exact=False,
        ),
    }
)

# The parts of `excitement` that every stream is expected to have.
USUAL = sum(about.excitement for about in ABOUT.values() if about.missing is None)
