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
class Judged:
    """A highlight that was found, held against the labels.

    Attributes:
        matched: the label it was matched to at each of `IOUS`, None where to none.
        inside: whether its peak lies in a label.
        weight: how much it counts in a ranking; 1 but where several rankings are put together (`folds`).
    """

    found: Highlight
    matched: tuple[Label | None, ...]
    inside: bool
    weight: float = 1.0

    @property
    def right(self) -> bool:
        """Whether it shows a labelled moment at the smaller IoU."""
        return self.matched[0] is not None

    @property
    def errors_s(self) -> tuple[float, float]:
        """How far its ends are from those of the label that it was matched to."""
        label = self.matched[0]
        assert label is not None, "only what was matched has errors"
        event = self.found.event
        return abs(event.start_s - label.span.start_s), abs(event.end_s - label.span.end_s)


def judged(found: Sequence[Highlight], labels: Sequence[Label]) -> list[Judged]:
    """The best highlights of a stream in order of their scores, each with what it was matched to."""
    best = ranked(found)
    matches = [match(best, labels, iou) for iou in IOUS]
    return [
        Judged(
            one,
            tuple(pairs.get(rank) for pairs in matches),
            any(label.span.start_s <= one.peak_s <= label.span.end_s for label in labels),
        )
        for rank, one in enumerate(best)
    ]


def match(found: Sequence[Highlight], labels: Sequence[Label], iou: float) -> dict[int, Label]:
    """Greedy matches at a temporal IoU, best score first: labels by place in `ranked`."""
    free, matches = list(labels), {}
    for place, highlight in enumerate(ranked(found)):
        best = max(free, key=lambda label: highlight.event.temporal_iou(label.span), default=None)
        if best is not None and highlight.event.temporal_iou(best.span) >= iou:
            free.remove(best)
            matches[place] = best
    return matches


def ranked(found: Sequence[Highlight]) -> list[Highlight]:
    """The best first, at most `MOST_PREDICTIONS`."""
    return sorted(found, key=lambda highlight: -highlight.score)[:MOST_PREDICTIONS]


def average_precision(ranking: Sequence[Judged], labels: Sequence[Label], iou: float) -> float:
    """Mean over all labels of the precision at the rank where each was found; NaN without labels.

    Args:
        ranking: best first; a rank is the sum of the weights so far.
        labels: all that could be found.
        iou: one of `IOUS`.
    """
    if not labels:
        return math.nan
    place, rank, hits, total = IOUS.index(iou), 0.0, 0.0, 0.0
    for one in ranking:
        rank += one.weight
        if one.matched[place] is not None:
            hits += one.weight
            total += one.weight * hits / rank
    return total / len(labels)


def judge(found: Sequence[Highlight], labels: Sequence[Label]) -> dict[str, float]:
    """All figures of one stream: `ap@0.3`, `ap@0.5`, `hit@1`, `hit@5`, `hit@n`, `ends@2s` and errors of ends in s."""
    return judge_ranking(judged(found, labels), labels)


def judge_ranking(ranking: Sequence[Judged], labels: Sequence[Label]) -> dict[str, float]:
    """The same of what was held against the labels before.

    Args:
        ranking: best first, see `judged`.
        labels: all that could be found.
    """
    right = [(one.weight, one.errors_s) for one in ranking if one.right]
    near = sum(weight for weight, errors_s in right if max(errors_s) <= NEAR_S)
    start_s, end_s = np.median([errors_s for _, errors_s in right], axis=0) if right else (math.nan, math.nan)
    return {
        **{f"ap@{iou}": average_precision(ranking, labels, iou) for iou in IOUS},
        **{f"hit@{count}": _hits(ranking, count) for count in FIRST},
        "hit@n": _hits(ranking, len(labels)) if labels else math.nan,
        "ends@2s": near / len(labels) if labels else math.nan,
        "start_error_s": float(start_s),
        "end_error_s": float(end_s),
    }


def _hits(ranking: Sequence[Judged], count: int) -> float:
    """Share of the first `count` whose peak lies in a label; one that reaches over the end counts in part."""
    left, hits = float(count), 0.0
    for one in ranking:
        hits += min(one.weight, left) * one.inside
        left = max(0.0, left - one.weight)
    return hits / count


def recall_by_kind(streams: Sequence[tuple[Sequence[Judged], Labels]]) -> dict[str, tuple[int, int]]:
    """Per kind of label how many were found at all, and how many there are."""
    counts: dict[str, tuple[int, int]] = {}
    for ranking, labels in streams:
        matched = {one.matched[0] for one in ranking}
        for label in labels.highlights:
            hits, total = counts.get(label.kind, (0, 0))
            counts[label.kind] = hits + (label in matched), total + 1
    return dict(sorted(counts.items()))


def calibration(pairs: Sequence[tuple[float, bool]], weights: Sequence[float] | None = None) -> list[dict[str, float]]:
    """Per tenth of the score how many there are, their mean score, and the share that is right.

    Args:
        pairs: score in 0-1 and whether it was right.
        weights: how many each stands for; None: one.
    """
    weighted = [(*pair, weight) for pair, weight in zip(pairs, weights or [1.0] * len(pairs), strict=True)]
    bins = []
    for low in np.arange(10) / 10:
        inside = [one for one in weighted if low <= one[0] < low + 0.1 or (low == 0.9 and one[0] == 1)]
        if inside:
            scores, rights, n = zip(*inside, strict=True)
            bins.append(
                {
                    "from": float(low),
                    "n": float(sum(n)),
                    "score": float(np.average(scores, weights=n)),
                    "right": float(np.average(rights, weights=n)),
                }
            )
    return bins


def right_from(ranking: Sequence[Judged], least: float) -> float:
    """Share that is right of those that score at least `least`; NaN where none does."""
    sure = [one for one in ranking if one.found.score >= least]
    number = sum(one.weight for one in sure)
    return sum(one.weight for one in sure if one.right) / number if number else math.nan
