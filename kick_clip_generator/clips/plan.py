"""Which highlights become files, and under which names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kick_clip_generator.core.kinds import MEDIA, Medium
from kick_clip_generator.core.records import Highlight


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A highlight and the kind and number its file gets: `<kind>_highlight_<number>_<kind>`."""

    kind: Medium
    number: int
    highlight: Highlight

    @property
    def stem(self) -> str:
        return f"{self.kind}_highlight_{self.number}_{self.kind}"


def plan_clips(highlights: Sequence[Highlight], *media: Sequence[Highlight]) -> list[PlannedClip]:
    """Plan one clip for each highlight, numbered per kind; what several media found gets the kind of the best of them.

    Two files of one moment are what people delete first, so merged highlights are planned, not the lists of each kind.

    Args:
        highlights: one per moment, in the order of their rank.
        media: the lists of each medium to decide by; without them, what several media found counts as audio.
    """
    numbers = dict.fromkeys(MEDIA, 0)
    planned: list[PlannedClip] = []
    for highlight in highlights:
        kind = _kind(highlight, [found for one in media for found in one])
        numbers[kind] += 1
        planned.append(PlannedClip(kind, numbers[kind], highlight))
    return planned


def _kind(highlight: Highlight, found: Sequence[Highlight]) -> Medium:
    there = [one for one in found if one.event.same_moment(highlight.event)]
    best = max([highlight] if highlight.kind in MEDIA else there, key=lambda one: one.score, default=highlight)
    return next((medium for medium in MEDIA if medium == best.kind), MEDIA[0])
