"""Accuracy on moments whose recordings, and whose stream, took no part in the choice of the settings.

The same recordings recur in several streams, so leaving a stream out leaks; and most moments mix several recordings, so
dealing those into groups leaves half of the moments next to nothing to choose by. Here each moment (and each distractor
that is made of recordings) is a fold of its own: its settings are chosen on the *other* streams, by what shares no
recording with it. They are the mean of the best third of many candidates, which is steadier than the best one.

Then there is one list per stream. What shows a moment or a distractor counts from the run with the settings chosen for
it. What shows neither is an ordinary moment of the stream and counts from every run, by the share of the stream's
moments that the run was chosen for. So nothing is masked, the same settings in every fold give exactly the plain
figures, and chosen and shipped settings can be compared. In the choice some moments do have to be hidden; there the
ordinary ones are weighed down as much, for else precision falls with the share of labels that is left (precision
corrected for prevalence: Siblini et al., "Master your metrics with calibration", 2020).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bench.candidates import FAMILIES, Settings
from bench.judging import Judged, Label, Labels, judge_ranking, judged
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.detect import DetectionConfig

CANDIDATES = 40
BEST_SHARE = 1 / 3
DRAWS = 3
# What a choice is made by: their mean.
CHOSEN_BY = ("ap@0.3", "ap@0.5", "ends@2s")

# Temporal IoU from which a highlight shows what is labelled, be it right or not.
TOUCHES = 0.2

Rankings = Mapping[str, Sequence[Judged]]


class Folds:
    """Settings, what each of them finds, and which may be judged by what."""

    def __init__(self, timelines: Mapping[str, Timeline], labels: Sequence[Labels], config: DetectionConfig) -> None:
        """
        Args:
            timelines: features by stream.
            labels: of the same streams.
            config: the shipped settings.
        """
        self._timelines = timelines
        self._streams = {one.id: one for one in labels}
        self._config = config
        self._runs: dict[tuple[Settings, str], list[tuple[Judged, Label | None]]] = {}
        self._scores: dict[tuple[Settings, str, frozenset[Label]], float] = {}

    def drawn(self, family: str, draw: int, said: Callable[[str], None]) -> Rankings:
        """One list per stream, of what was found with settings chosen for each moment among candidates.

        Args:
            family: one of `candidates.FAMILIES`.
            draw: seed of the candidates.
            said: told what is done.
        """
        random = np.random.default_rng(draw)
        candidates = [FAMILIES[family](self._config, random) for _ in range(CANDIDATES)]
        for number, settings in enumerate(candidates):
            if number % 10 == 0:
                said(f"{family} settings, draw {draw + 1} of {DRAWS}: candidate {number + 1} of {len(candidates)}")
            for stream in self._streams:
                self._run(settings, stream)
        return self.held_out(lambda stream, label: self.choice(candidates, stream, label))

    def choice(self, candidates: Sequence[Settings], stream: str, label: Label) -> Settings:
        """The mean of those that are best where neither the stream nor a recording of the label has a part."""
        scores = [self._score(settings, stream, label) for settings in candidates]
        best = np.argsort(scores)[::-1][: max(1, round(len(candidates) * BEST_SHARE))]
        return Settings.mean([candidates[place] for place in best])

    def held_out(self, chosen: Callable[[str, Label], Settings]) -> Rankings:
        """One list per stream, best first, in which each moment is judged by the settings chosen for it.

        Args:
            chosen: settings by stream and label.
        """
        return {one.id: self._ranking(one, chosen) for one in self._streams.values()}

    def _ranking(self, stream: Labels, chosen: Callable[[str, Label], Settings]) -> list[Judged]:
        settings_of = {label: chosen(stream.id, label) for label in _owners(stream)}
        moments = Counter(settings_of[label] for label in stream.highlights if label in settings_of)
        ranking = []
        for settings in dict.fromkeys(settings_of.values()):
            ordinary = moments[settings] / moments.total()
            for one, owner in self._run(settings, stream.id):
                weight = ordinary if owner is None else float(settings_of[owner] == settings)
                if weight > 0:
                    ranking.append(replace(one, weight=weight))
        return sorted(ranking, key=lambda one: -one.found.score)

    def _run(self, settings: Settings, stream: str) -> list[tuple[Judged, Label | None]]:
        """What is found in a stream, each with the label that it shows."""
        if (settings, stream) not in self._runs:
            labels = self._streams[stream]
            found = settings.found(self._timelines[stream], self._config)
            self._runs[settings, stream] = [(one, _owner(one, labels)) for one in judged(found, labels.highlights)]
        return self._runs[settings, stream]

    def _score(self, settings: Settings, stream: str, label: Label) -> float:
        """How good settings are on the other streams, by the moments that share no recording with a label."""
        total, number = 0.0, 0
        for other in self._streams.values():
            hidden = frozenset(one for one in _owners(other) if one.sources & label.sources)
            count = len(set(other.highlights) - hidden)
            if other.id != stream and count:
                total += count * self._score_without(settings, other, hidden)
                number += count
        return total / number if number else 0.0

    def _score_without(self, settings: Settings, stream: Labels, hidden: frozenset[Label]) -> float:
        key = settings, stream.id, hidden
        if key not in self._scores:
            kept = [label for label in stream.highlights if label not in hidden]
            share = len(kept) / len(stream.highlights)
            ranking = [
                replace(one, weight=1.0 if owner in kept else share)
                for one, owner in self._run(settings, stream.id)
                if owner not in hidden
            ]
            figures = judge_ranking(ranking, kept)
            self._scores[key] = float(np.mean([figures[name] for name in CHOSEN_BY]))
        return self._scores[key]


def _owners(stream: Labels) -> list[Label]:
    """Moments, and distractors that are made of recordings; what is made of the stream itself is ordinary."""
    return [*stream.highlights, *(label for label in stream.distractors if label.sources)]


def _owner(one: Judged, stream: Labels) -> Label | None:
    """What a highlight shows, be it right or not."""
    if one.matched[0] is not None:
        return one.matched[0]

    def iou(label: Label) -> float:
        return one.found.event.temporal_iou(label.span)

    owners = _owners(stream)
    best = max(owners, key=iou, default=None)
    if best is not None and iou(best) >= TOUCHES:
        return best
    return next((label for label in owners if label.span.start_s <= one.found.peak_s <= label.span.end_s), None)
