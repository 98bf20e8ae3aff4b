"""What stands in the form of the Generate tab becomes checked options, or one sentence that says what to change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import LONGEST_STREAM_MIN, setting_range

MOST_CLIPS = 25
LONGEST_URL = 4096

KIND_CHOICES = [("Everything", "all"), ("Sound and picture", "both"), ("Sound", "audio"), ("Picture", "video")]
CUT_CHOICES = [
    ("Smart (to the frame, re-encoded up to the first keyframe only)", "smart"),
    ("Exact (re-encoded)", "exact"),
    ("Fast copy (starts at a keyframe)", "copy"),
]


@dataclass(frozen=True, slots=True)
class Form:
    """The fields as the browser sent them, in the order they stand on the page; nothing is checked yet."""

    url: Any
    kinds: Any
    clip_duration: Any
    min_gap: Any
    max_audio: Any
    max_video: Any
    start_minute: Any
    end_minute: Any
    cut: Any

    def link(self) -> str:
        """What was pasted.

        Raises:
            InputError: when that is nothing.
        """
        link = str(self.url or "")[:LONGEST_URL]
        if not link.strip():
            raise InputError("No stream was given; paste a link or the path of a file.")
        return link

    def options(self) -> dict[str, Any]:
        """The other fields as `GenerateRequest.checked` takes them.

        Raises:
            InputError: with the sentence to show.
        """
        return {
            "kinds": _one_of("What to look for", self.kinds, KIND_CHOICES),
            "clip_duration_s": _seconds_or_auto(self.clip_duration),
            "min_gap_s": _number("The least gap", self.min_gap, *setting_range("min_gap"), unit=" seconds"),
            "max_audio_clips": _whole("Most sound clips", self.max_audio, 1, MOST_CLIPS),
            "max_video_clips": _whole("Most picture clips", self.max_video, 1, MOST_CLIPS),
            "start_minute": _number("The start minute", self.start_minute, 0, LONGEST_STREAM_MIN),
            "end_minute": _number("The end minute", self.end_minute, 0, LONGEST_STREAM_MIN),
            "cut": _one_of("How clips are cut", self.cut, CUT_CHOICES),
        }


def _seconds_or_auto(value: Any) -> float | None:
    if value is None or str(value).strip().lower() in ("", "auto"):
        return None
    low, high = setting_range("clip_duration")
    return _number("The clip length", value, low, high, unit=" seconds, or auto")


def _number(name: str, value: Any, low: float, high: float, *, unit: str = "") -> float | None:
    """A finite number, None where the field is empty."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not (math.isfinite(number) and low <= number <= high):
        shown = str(value)[:20]
        raise InputError(f"{name} must be a number from {low:g} to {high:g}{unit}; {shown!r} is not.")
    return number


def _whole(name: str, value: Any, low: int, high: int) -> int | None:
    number = _number(name, value, low, high)
    if number is not None and number != int(number):
        raise InputError(f"{name} must be a whole number from {low} to {high}; {number:g} is not.")
    return None if number is None else int(number)


def _one_of(name: str, value: Any, choices: list[tuple[str, str]]) -> Any:
    if value not in [choice for _, choice in choices]:
        raise InputError(f"{name} must be one of: {', '.join(words for words, _ in choices)}.")
    return value
