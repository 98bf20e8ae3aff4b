"""Where the advertising of a playlist lies, by its own marks.

Twitch marks it by EXT-X-DATERANGE of a class (https://github.com/streamlink/streamlink, `plugins/twitch.py`); SCTE 35
cues come as attributes of date ranges (RFC 8216, 4.3.2.7.1) or as EXT-X-CUE-OUT and EXT-X-CUE-IN before segments.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence

from kick_clip_generator.sources.hls.tags import posix_s, seconds

AD_CLASS = "twitch-stitched-ad"
AD_ID_PREFIX = "stitched-ad-"
# Twitch's own segments are titled "live".
AD_TITLE_PREFIX = "Amazon"

# A break that nobody ends is taken to be over after this time: half an evening must not be lost to a forgotten mark.
LONGEST_BREAK_S = 600.0


class AdDates:
    """The ad breaks that a playlist names by date.

    Args:
        date_ranges: the attributes of its EXT-X-DATERANGE tags.
    """

    def __init__(self, date_ranges: Iterable[Mapping[str, str]]) -> None:
        by_id: dict[str, dict[str, str]] = {}
        for number, attributes in enumerate(date_ranges):
            # Tags of one ID complete each other: SCTE35-OUT begins a break, SCTE35-IN brings its end.
            by_id.setdefault(attributes.get("ID") or f"#{number}", {}).update(attributes)
        self._starts_s: list[float] = []
        self._ends_s: list[float] = []
        for start_s, end_s in sorted(_break(attributes) for attributes in by_id.values() if _is_ad(attributes)):
            if not end_s > start_s:
                continue
            if self._ends_s and start_s <= self._ends_s[-1]:
                self._ends_s[-1] = max(self._ends_s[-1], end_s)
            else:
                self._starts_s.append(start_s)
                self._ends_s.append(end_s)

    def __bool__(self) -> bool:
        return bool(self._starts_s)

    def __contains__(self, at_s: float) -> bool:
        """Whether an instant, in POSIX seconds, lies in a break; NaN never does."""
        place = bisect.bisect_right(self._starts_s, at_s) - 1
        return place >= 0 and at_s < self._ends_s[place]


def cued(cue_outs_s: Sequence[float | None], cue_ins: Sequence[bool], durations_s: Sequence[float]) -> list[bool]:
    """Which segments lie between cues.

    Args:
        cue_outs_s: per segment, the length of the break that begins with it (NaN: not known), None when none does.
        cue_ins: per segment, whether the program returns with it.
        durations_s: of the segments.
    """
    inside: list[bool] = []
    left_s = 0.0
    for cue_out_s, cue_in, duration_s in zip(cue_outs_s, cue_ins, durations_s, strict=True):
        if cue_in:
            left_s = 0.0
        if cue_out_s is not None:
            left_s = LONGEST_BREAK_S if math.isnan(cue_out_s) else min(cue_out_s, LONGEST_BREAK_S)
        # By more than half: lengths of breaks and of segments are rounded.
        inside.append(left_s > duration_s / 2)
        left_s -= duration_s
    return inside


def _is_ad(attributes: Mapping[str, str]) -> bool:
    return (
        attributes.get("CLASS") == AD_CLASS
        or attributes.get("ID", "").startswith(AD_ID_PREFIX)
        or "SCTE35-OUT" in attributes
    )


def _break(attributes: Mapping[str, str]) -> tuple[float, float]:
    """First and last instant of a break in POSIX seconds; empty when its start is not known."""
    start_s = posix_s(attributes.get("START-DATE", ""))
    if math.isnan(start_s):
        return 0.0, 0.0
    for length_s in (seconds(attributes.get("DURATION")), posix_s(attributes.get("END-DATE", "")) - start_s):
        if length_s >= 0:
            return start_s, start_s + length_s
    planned_s = seconds(attributes.get("PLANNED-DURATION"))
    return start_s, start_s + (planned_s if planned_s >= 0 else LONGEST_BREAK_S)
