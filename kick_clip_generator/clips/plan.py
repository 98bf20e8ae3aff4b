"""Which highlights become files, and under which names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kick_clip_generator.core.records import Highlight

ClipKind = Literal["audio", "video"]


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A highlight and the kind and number its file gets: `<kind>_highlight_<number>_<kind>`."""

    kind: ClipKind
    number: int
    highlight: Highlight

    @property
    def stem(self) -> str:
        return f"{self.kind}_highlight_{self.number}_{self.kind}"


def plan_clips(
    highlights: Sequence[Highlight], audio: Sequence[Highlight] = (), video: Sequence[Highlight] = ()
) -> list[PlannedClip]:
    """Plan one clip for each highlight, numbered per kind; "both" becomes the kind that scored higher at that moment.

    Two files of one moment are what people delete first, so merged highlights are planned, not the lists of each kind.

    Args:
        highlights: one per moment, in the order of their rank.
        audio, video: the lists per kind to decide "both" by; without them it counts as audio.
    """

    def best_at(moment: Highlight, found: Sequence[Highlight]) -> float:
        return max((h.score for h in found if h.event.same_moment(moment.event)), default=-1.0)

    chosen: list[tuple[ClipKind, Highlight]] = []
    for highlight in highlights:
        if highlight.kind != "both":
            chosen.append((highlight.kind, highlight))
        else:
            louder = best_at(highlight, audio) >= best_at(highlight, video)
            chosen.append(("audio" if louder else "video", highlight))
    return _numbered(chosen)


def _numbered(chosen: Sequence[tuple[ClipKind, Highlight]]) -> list[PlannedClip]:
    counts: dict[ClipKind, int] = {"audio": 0, "video": 0}
    planned: list[PlannedClip] = []
    for kind, highlight in chosen:
        counts[kind] += 1
        planned.append(PlannedClip(kind, counts[kind], highlight))
    return planned
