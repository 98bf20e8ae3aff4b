"""Accuracy on recordings that the settings were not chosen on.

The same recordings recur in several streams, so leaving a stream out leaks. Here the *recordings* are dealt into
groups. Settings are chosen by what is made of the other groups, and scored on what is made of one alone; labels that
mix both are masked, with whatever was found there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.judging import Label, Labels, average_precision
from kick_clip_generator.core.records import Highlight
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.detect import DetectionConfig, detect
from kick_clip_generator.highlights.signals import SUFFIX, VARIATION

GROUPS = 3
DEALS = 3
TOUCHES = 0.2

# The settings that were in doubt, each with what else it might be; in all their combinations.
VARIATION_WEIGHTS = (0.0, 0.5, 1.0, 1.5)
MOTION_VARIANCE_WEIGHTS = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Held:
    """Mean AP over held-out labels.

    Attributes:
        chosen: with the settings that were best on the other recordings.
        shipped: with those of the product, which were chosen with all of them in sight.
    """

    chosen: float
    shipped: float


def held_out(timelines: Mapping[str, Timeline], labels: Sequence[Labels], config: DetectionConfig, iou: float) -> Held:
    """AP at an IoU of labels whose recordings took no part in the choice of the settings.

    Args:
        timelines: features by stream.
        labels: of the same streams.
        config: the shipped settings.
        iou: least temporal IoU.
    """
    found = [
        {name: detect(timeline, variant).merged for name, timeline in timelines.items()}
        for variant in (config, *_variants(config))
    ]
    sums: dict[str, list[tuple[float, int]]] = {"chosen": [], "shipped": []}
    for deal in range(DEALS):
        group_of = _dealt(labels, deal)
        for group in range(GROUPS):
            others = frozenset(range(GROUPS)) - {group}
            training = [_score(one, labels, group_of, others, iou)[0] for one in found]
            best = found[int(np.argmax(training))]
            held = [_score(one, labels, group_of, frozenset({group}), iou) for one in (best, found[0])]
            sums["chosen"].append(held[0])
            sums["shipped"].append(held[1])
    return Held(_mean(sums["chosen"]), _mean(sums["shipped"]))


def _variants(config: DetectionConfig) -> Iterable[DetectionConfig]:
    for variation, variance in itertools.product(VARIATION_WEIGHTS, MOTION_VARIANCE_WEIGHTS):
        yield replace(
            config,
            audio_weights={**config.audio_weights, VARIATION + SUFFIX: variation},
            video_weights={**config.video_weights, "motion_variance" + SUFFIX: variance},
        )


def _dealt(labels: Sequence[Labels], deal: int) -> dict[str, int]:
    """Each recording's group."""
    names = sorted({name for one in labels for label in (*one.highlights, *one.distractors) for name in label.sources})
    order = np.random.default_rng(deal).permutation(len(names))
    return {name: int(place) % GROUPS for name, place in zip(names, order, strict=True)}


def _score(
    found: Mapping[str, Sequence[Highlight]],
    labels: Sequence[Labels],
    group_of: Mapping[str, int],
    allowed: frozenset[int],
    iou: float,
) -> tuple[float, int]:
    """Mean AP over the labels that are made of these groups alone, and how many there are."""
    total, number = 0.0, 0
    for one in labels:

        def belongs(label: Label) -> bool:
            return all(group_of[name] in allowed for name in label.sources)

        kept = [label for label in one.highlights if belongs(label)]
        # What is made of the stream itself (cuts, silence) is ordinary, in training and test alike.
        masked = [label for label in (*one.highlights, *one.distractors) if label.sources and not belongs(label)]
        if kept:
            shown = [
                highlight for highlight in found[one.id] if not _touches(highlight, masked) or _touches(highlight, kept)
            ]
            total += average_precision(shown, kept, iou) * len(kept)
            number += len(kept)
    return (total / number if number else math.nan), number


def _touches(highlight: Highlight, labels: Sequence[Label]) -> bool:
    return any(highlight.event.temporal_iou(label.span) >= TOUCHES for label in labels)


def _mean(scores: Sequence[tuple[float, int]]) -> float:
    number = sum(count for _, count in scores)
    return sum(mean * count for mean, count in scores if count) / number if number else math.nan
