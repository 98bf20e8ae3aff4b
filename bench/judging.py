"""How good a list of highlights is against labels: precision, hits, ends, recall by kind, calibration.

Definitions are those of temporal action localization (ActivityNet, Heilbron 2015): predictions in order of their score
are matched greedily to the free truth of highest temporal IoU.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kick_clip_generator.core.records import Highlight, Span

MOST_PREDICTIONS = 50
NEAR_S = 2.0
IOUS = (0.3, 0.5)
FIRST = (1, 5)


@dataclass(frozen=True, slots=True)
class Label:
    """A labelled stretch: a highlight, or a distractor.

    Attributes:
        sources: recordings that it was made of, by which folds are kept apart; empty when made of the stream itself.
    """

    span: Span
    kind: str
    sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class Labels:
    """A stream and what is labelled in it."""

    id: str
    media: Path
    highlights: tuple[Label, ...]
    distractors: tuple[Label, ...]

    @classmethod
    def read(cls, path: Path) -> Labels:
        """A `<id>.truth.json` beside its media.

        Raises:
            ValueError: when it is no such file.
        """
        try:
            truth: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            highlights, distractors = (
                tuple(
                    Label(Span(float(one["start"]), float(one["end"])), one["kind"], frozenset(one.get("sources", ())))
                    for one in truth.get(what, ())
                )
                for what in ("highlights", "distractors")
            )
            return cls(truth["id"], path.parent / truth["file"], highlights, distractors)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no file of labels: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Match:
    """A highlight that was found: its rank from 1, and the label it was matched to."""

    rank: int
    found: Highlight
    label: Label


def match(found: Sequence[Highlight], labels: Sequence[Label], iou: float) -> list[Match]:
    """Greedy matches at a temporal IoU, best score first."""
    free, matches = list(labels), []
    for rank, highlight in enumerate(ranked(found), 1):
        best = max(free, key=lambda label: highlight.event.temporal_iou(label.span), default=None)
        if best is not None and highlight.event.temporal_iou(best.span) >= iou:
            free.remove(best)
            matches.append(Match(rank, highlight, best))
    return matches


def ranked(found: Sequence[Highlight]) -> list[Highlight]:
    """The best first, at most `MOST_PREDICTIONS`."""
    return sorted(found, key=lambda highlight: -highlight.score)[:MOST_PREDICTIONS]


def average_precision(found: Sequence[Highlight], labels: Sequence[Label], iou: float) -> float:
    """Mean over all labels of the precision at the rank where each was found; NaN without labels."""
    if not labels:
        return math.nan
    return sum(hits / one.rank for hits, one in enumerate(match(found, labels, iou), 1)) / len(labels)


def judge(found: Sequence[Highlight], labels: Sequence[Label]) -> dict[str, float]:
    """All figures of one stream: `ap@0.3`, `ap@0.5`, `hit@1`, `hit@5`, `hit@n`, `ends@2s` and errors of ends in s."""
    best = ranked(found)
    inside = [any(label.span.start_s <= one.peak_s <= label.span.end_s for label in labels) for one in best]
    pairs = match(found, labels, IOUS[0])
    errors = [
        (abs(one.found.event.start_s - one.label.span.start_s), abs(one.found.event.end_s - one.label.span.end_s))
        for one in pairs
    ]
    near = sum(start_s <= NEAR_S and end_s <= NEAR_S for start_s, end_s in errors)
    start_s, end_s = np.median(errors, axis=0) if errors else (math.nan, math.nan)
    return {
        **{f"ap@{iou}": average_precision(found, labels, iou) for iou in IOUS},
        **{f"hit@{count}": sum(inside[:count]) / count for count in FIRST},
        "hit@n": sum(inside[: len(labels)]) / len(labels) if labels else math.nan,
        "ends@2s": near / len(labels) if labels else math.nan,
        "start_error_s": float(start_s),
        "end_error_s": float(end_s),
    }


def recall_by_kind(streams: Sequence[tuple[Sequence[Highlight], Labels]]) -> dict[str, tuple[int, int]]:
    """Per kind of label how many were found at all, and how many there are."""
    counts: dict[str, tuple[int, int]] = {}
    for found, labels in streams:
        matched = [one.label for one in match(found, labels.highlights, IOUS[0])]
        for label in labels.highlights:
            hits, total = counts.get(label.kind, (0, 0))
            counts[label.kind] = hits + (label in matched), total + 1
    return dict(sorted(counts.items()))


def calibration(pairs: Sequence[tuple[float, bool]]) -> list[dict[str, float]]:
    """Per tenth of the score how many there are, their mean score, and the share that is right.

    Args:
        pairs: score in 0-1 and whether it was right.
    """
    bins = []
    for low in np.arange(10) / 10:
        inside = [(score, right) for score, right in pairs if low <= score < low + 0.1 or (low == 0.9 and score == 1)]
        if inside:
            scores, rights = zip(*inside, strict=True)
            bins.append(
                {"from": float(low), "n": len(inside), "score": float(np.mean(scores)), "right": float(np.mean(rights))}
            )
    return bins


def scored(found: Sequence[Highlight], labels: Sequence[Label]) -> list[tuple[float, bool]]:
    """Score and whether it is right, of each highlight."""
    right = {id(one.found) for one in match(found, labels, IOUS[0])}
    return [(highlight.score, id(highlight) in right) for highlight in ranked(found)]
