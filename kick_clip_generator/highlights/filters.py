"""What is left out of the list, and why: every decision about every candidate is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kick_clip_generator.core.records import Highlight
from kick_clip_generator.highlights.config import V2Config
from kick_clip_generator.highlights.near_duplicates import Appearance
from kick_clip_generator.highlights.quality import Quality

Stage = Literal["score", "boring", "near_duplicate", "gap", "cap", "keep_best", "overlap"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A clip that may be shown.

    Attributes:
        index: its number among all of a run, by which decisions name it.
        highlight: what it shows.
        quality: of the clip; None in modes that do not measure it.
    """

    index: int
    highlight: Highlight
    quality: Quality | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a filter did with a clip.

    Attributes:
        stage: which filter.
        clip_index: `Proposal.index`.
        kept: whether it went on.
        reason: why, in words.
    """

    stage: Stage
    clip_index: int
    kept: bool
    reason: str

    @property
    def action(self) -> str:
        """As users script against it: "keep" or "drop_<stage>"."""
        return "keep" if self.kept else f"drop_{self.stage}"


Filtered = tuple[list[Proposal], list[Decision]]


def above_score(proposals: Sequence[Proposal], least: float, setting: str) -> Filtered:
    """Those that score at least `least`."""

    def objection(proposal: Proposal, _: Sequence[Proposal]) -> str:
        score = proposal.highlight.score
        return "" if score >= least else f"score {score:.3f} is under {setting}={least:g}"

    return _sift(proposals, "score", objection)


def not_boring(proposals: Sequence[Proposal], config: V2Config) -> Filtered:
    """Those of some quality, and those whose moment is strong all the same."""

    def objection(proposal: Proposal, _: Sequence[Proposal]) -> str:
        if proposal.quality is None or proposal.quality.total >= config.boring_max_quality:
            return ""
        if proposal.highlight.score >= config.boring_spare_score:
            return ""
        return f"quality {proposal.quality.total:.3f} is under {config.boring_max_quality:g}"

    return _sift(proposals, "boring", objection)


def not_shown_twice(proposals: Sequence[Proposal], appearance: Appearance, config: V2Config) -> Filtered:
    """Of moments that look and sound the same, the first."""

    def objection(proposal: Proposal, kept: Sequence[Proposal]) -> str:
        moment = proposal.highlight
        # The same moment may be there already: the other medium's view of it.
        others = [other for other in kept if not moment.event.same_moment(other.highlight.event)]
        if not others:
            return ""
        distances = appearance.distances(moment.peak_s, [other.highlight.peak_s for other in others])
        near = np.flatnonzero(distances < config.near_duplicate_distance)
        if not len(near):
            return ""
        return f"looks and sounds like clip {others[near[0]].index}, distance {distances[near[0]]:.2f}"

    return _sift(proposals, "near_duplicate", objection)


def spaced(proposals: Sequence[Proposal], min_gap_s: float) -> Filtered:
    """Greedily those whose peaks are this far from all better ones'."""

    def objection(proposal: Proposal, kept: Sequence[Proposal]) -> str:
        near = (
            (abs(proposal.highlight.peak_s - other.highlight.peak_s), other.index)
            for other in kept
            if abs(proposal.highlight.peak_s - other.highlight.peak_s) < min_gap_s
        )
        distance_s, index = min(near, default=(0.0, None))
        return "" if index is None else f"peak is {distance_s:.1f} s from clip {index}'s, --min-gap is {min_gap_s:g}"

    return _sift(proposals, "gap", objection)


def capped(proposals: Sequence[Proposal], most: int) -> Filtered:
    """The first `most`."""
    return _sift(proposals, "cap", lambda _, kept: "" if len(kept) < most else f"{most} better ones are kept")


def not_overlapping(proposals: Sequence[Proposal], config: V2Config) -> Filtered:
    """Greedily those whose clips share little with all better ones'."""

    def objection(proposal: Proposal, kept: Sequence[Proposal]) -> str:
        for other in kept:
            iou = proposal.highlight.clip.temporal_iou(other.highlight.clip)
            if iou > config.overlap_iou_threshold:
                return f"temporal IoU {iou:.2f} with clip {other.index}"
        return ""

    return _sift(proposals, "overlap", objection)


def _sift(
    proposals: Sequence[Proposal], stage: Stage, objection: Callable[[Proposal, Sequence[Proposal]], str]
) -> Filtered:
    kept: list[Proposal] = []
    decisions: list[Decision] = []
    for proposal in proposals:
        reason = objection(proposal, kept)
        decisions.append(Decision(stage, proposal.index, not reason, reason or "kept"))
        if not reason:
            kept.append(proposal)
    return kept, decisions
