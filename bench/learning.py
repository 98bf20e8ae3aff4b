"""What ratings are worth: `python -m bench learning --streams DIR --tastes FILE [--json FILE]`.

Simulated people rate the real candidates of labelled streams. For each stream, people rate candidates of the others,
asked at random, from the top of the ranking, or as the product's queue asks; then the stream that nobody rated is
ranked, and judged by how good the first ten are (`learning.figures.ndcg`: 0 is chance, 1 the best order). Once with the
streams as they are, once leaving out every candidate that shares a recording with the judged stream. The product's own
models and queries do the work; only the people are made up: what they think follows from the labels, and the product
sees their stars alone, with noise.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from bench.accuracy import measured
from bench.judging import Labels
from bench.machine import write_json
from kick_clip_generator.core.clip_row import HEURISTIC, highlight_row
from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.settings import load_settings
from kick_clip_generator.core.timeline import Timeline
from kick_clip_generator.highlights.detect import MOST_PER_KIND, DetectionConfig, segment
from kick_clip_generator.highlights.merge import merge
from kick_clip_generator.learning.dataset import feature_names, table, targets
from kick_clip_generator.learning.estimators import fitted_pipeline, regressor_of
from kick_clip_generator.learning.figures import Figure, mean_over, ndcg
from kick_clip_generator.learning.model import LEARNERS, share_of
from kick_clip_generator.learning.queries import Beliefs, choose

Array = NDArray[np.float64]

# Ratings at which the rankings are judged, where learning begins and how often, and where the queries are compared.
POINTS = (0, 5, 10, 20, 35, 50, 100)
COMPARED_UP_TO = 50
FEWEST_CANDIDATES = 50

# A plain stretch in the place of a candidate, where a stream has too few.
PLAIN_S = 5.0
IOU = 0.3

QUERIES = ("random", "top", "ours")
PARTS = ("as they are", "shared left out")

# The least rescaled NDCG@10 by ratings, and the least lead over the heuristic where shared recordings are left out.
LEAST = {20: 0.67, 50: 0.74, 100: 0.78}
LEAST_LEAD = {20: 0.0, 50: 0.10}
MOST_LOST = 0.03


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one stream.

    Attributes:
        rows: their feature rows.
        kinds: what each shows: the kind of the highlight it meets, "distractor" or "calm".
        sources: recordings that each was made of.
        all_sources: recordings of the whole stream.
    """

    id: str
    rows: tuple[dict[str, float], ...]
    kinds: tuple[str, ...]
    sources: tuple[frozenset[str], ...]
    all_sources: frozenset[str]


@dataclass(frozen=True, slots=True)
class People:
    """The simulated people: stars by kind of moment, and how often they are off by one."""

    tastes: Mapping[str, Mapping[str, float]]
    noise: float

    @classmethod
    def read(cls, path: Path) -> People:
        """Raises:
        ValueError: when it is no file of tastes.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            tastes = {
                name: {kind: float(stars) for kind, stars in taste.items()} for name, taste in data["tastes"].items()
            }
            return cls(tastes, float(data["noise"]))
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is no file of tastes: {error!r}") from error

    def thought(self, taste: str, kinds: Sequence[str]) -> Array:
        """What somebody thinks of candidates.

        Raises:
            ValueError: for a kind that the taste does not name.
        """
        missing = set(kinds) - set(self.tastes[taste])
        if missing:
            raise ValueError(f"the taste {taste!r} says nothing of {', '.join(sorted(missing))}")
        return np.array([self.tastes[taste][kind] for kind in kinds])

    def said(self, thought: Array, rng: np.random.Generator) -> Array:
        """The stars that somebody gives."""
        off = rng.random(len(thought)) < self.noise
        return np.clip(thought + off * np.where(rng.random(len(thought)) < 0.5, -1, 1), 1, 5)


def main(argv: list[str]) -> int:
    """Print the curves; 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench learning", description=__doc__)
    parser.add_argument("--streams", type=Path, required=True, metavar="DIR", help="folder of labelled streams")
    parser.add_argument("--tastes", type=Path, required=True, metavar="FILE", help="the simulated people")
    parser.add_argument("--seeds", type=int, default=20, help="how often each person rates")
    parser.add_argument("--learner", choices=LEARNERS, default="auto", help="what learns")
    parser.add_argument("--share", type=float, help="share of the learned score, 0-1; else what the model says itself")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(argv)
    paths = sorted(options.streams.resolve().glob("*.truth.json"))
    try:
        people = People.read(options.tastes)
        pools = [candidates(one, measured(one.media)) for one in map(Labels.read, paths)]
        if len(pools) < 3:
            raise ValueError(f"{options.streams} holds {len(pools)} *.truth.json; at least 3 are needed")
        for pool in pools:
            for taste in people.tastes:
                people.thought(taste, pool.kinds)
    except (ValueError, ClipGeneratorError) as error:
        parser.error(str(error))
    began = time.process_time()
    # Tens of thousands of models: what scikit-learn checks of each is a third of the time.
    with config_context(skip_parameter_validation=True, assume_finite=True):
        runs = _Runs(pools, people, options.seeds, options.learner, options.share)
    figures = runs.figures()
    figures["cpu_s"] = time.process_time() - began
    _print(figures, pools)
    write_json(options.json, figures)
    return int(not _targets_met(figures))


def candidates(labels: Labels, timeline: Timeline) -> Pool:
    """What the product finds in a stream, the weak ones too: one candidate a moment.

    Where that is fewer than `FEWEST_CANDIDATES`, plain stretches that no candidate touches are added.
    """
    config = DetectionConfig(
        **{f"max_{kind}": MOST_PER_KIND for kind in ("audio", "video")},  # type: ignore[arg-type]
        **{f"min_{kind}_score": 0.0 for kind in ("audio", "video")},  # type: ignore[arg-type]
    )
    proposals = sorted(
        (one.highlight for one in segment(timeline, config).proposals), key=lambda one: (-one.score, one.event)
    )
    media = [[one for one in proposals if one.kind == kind] for kind in dict.fromkeys(one.kind for one in proposals)]
    found: list[Highlight] = []
    for highlight in (*merge(*media), *proposals):
        if not any(highlight.event.same_moment(other.event) for other in found):
            found.append(highlight)
    found += _plain(timeline, [one.event for one in found], FEWEST_CANDIDATES - len(found))
    kinds, sources = zip(*(_what(labels, one.event) for one in found), strict=True)
    return Pool(
        id=labels.id,
        rows=tuple(highlight_row(timeline, one) for one in found),
        kinds=kinds,
        sources=sources,
        all_sources=frozenset().union(*(one.sources for one in (*labels.highlights, *labels.distractors))),
    )


def _plain(timeline: Timeline, taken: Sequence[Span], count: int) -> list[Highlight]:
    """Stretches that no candidate touches, spread over the stream; the heuristic has nothing to say for them."""
    if count <= 0:
        return []
    free: list[Span] = []
    for start_s in np.arange(timeline.start_s, timeline.end_s - PLAIN_S, PLAIN_S):
        span = Span(float(start_s), float(start_s) + PLAIN_S)
        if not any(span.overlap_s(other) > 0 for other in taken):
            free.append(span)
    chosen = [free[i] for i in np.unique(np.linspace(0, len(free) - 1, min(count, len(free))).round().astype(int))]
    return [
        Highlight("audio", 0.0, (span.start_s + span.end_s) / 2, span, span, heuristic_score=0.0) for span in chosen
    ]


def _what(labels: Labels, event: Span) -> tuple[str, frozenset[str]]:
    """What a candidate shows, and the recordings it was made of."""
    touched = [one for one in (*labels.highlights, *labels.distractors) if event.overlap_s(one.span) > 0]
    sources = frozenset[str]().union(*(one.sources for one in touched))
    met = max(labels.highlights, key=lambda one: event.temporal_iou(one.span), default=None)
    if met is not None and event.temporal_iou(met.span) >= IOU:
        return met.kind, sources
    return ("distractor" if any(one in labels.distractors for one in touched) else "calm"), sources


class _Runs:
    """All people rating for all streams.

    Attributes:
        curves: NDCG by part and query, shape `(points, tastes, streams, seeds)`; "heuristic" at every point.
    """

    def __init__(self, pools: Sequence[Pool], people: People, seeds: int, learner: str, share: float | None) -> None:
        settings = load_settings()
        self._pools, self._people, self._learner, self._share = pools, people, learner, share
        self._trees, self._learning_rate = settings.n_estimators, settings.learning_rate
        self._first, self._every = settings.min_training_samples, settings.retrain_every
        self._mix = settings.ask_mix
        self._names = feature_names([row for pool in pools for row in pool.rows])
        self._values = table([row for pool in pools for row in pool.rows], self._names)
        self._heuristic = self._values[:, self._names.index(HEURISTIC)]
        self._stream = np.repeat(np.arange(len(pools)), [len(pool.rows) for pool in pools])
        self._kinds = [kind for pool in pools for kind in pool.kinds]
        self._sources = [sources for pool in pools for sources in pool.sources]
        self.tastes = list(people.tastes)
        self.curves: dict[str, dict[str, Array]] = {
            part: {
                name: np.full((len(POINTS), len(self.tastes), len(pools), seeds), np.nan)
                for name in ("heuristic", "known kinds", *QUERIES)
            }
            for part in PARTS
        }
        self.noisy = np.full((len(self.tastes), len(pools), seeds), np.nan)
        for stream, part, taste, seed in self._all(seeds):
            self._run(stream, part, taste, seed)

    def _all(self, seeds: int) -> Iterator[tuple[int, str, int, int]]:
        for stream in range(len(self._pools)):
            for part in PARTS:
                others = self._pool(stream, part)
                self._prior = Beliefs.before(self._values[others], self._names, ["" for _ in others])
                for taste in range(len(self.tastes)):
                    for seed in range(seeds):
                        yield stream, part, taste, seed

    def _pool(self, stream: int, part: str) -> NDArray[np.intp]:
        """Candidates that people may rate before this stream is judged."""
        theirs = self._pools[stream].all_sources
        return np.array(
            [
                i
                for i, other in enumerate(self._stream)
                if other != stream and (part == PARTS[0] or not self._sources[i] & theirs)
            ],
            np.intp,
        )

    def _run(self, stream: int, part: str, taste: int, seed: int) -> None:
        thought = self._people.thought(self.tastes[taste], self._kinds)
        stars = self._people.said(thought, np.random.default_rng([seed, taste]))
        wanted = targets(stars.tolist())
        pool, judged = self._pool(stream, part), np.flatnonzero(self._stream == stream)
        curves, place = self.curves[part], (taste, stream, seed)
        curves["heuristic"][:, *place] = ndcg(thought[judged], self._heuristic[judged])
        seen = {self._kinds[i] for i in pool}
        guess = np.where([kind in seen for kind in self._kinds], thought, 1 + 4 * self._heuristic)
        curves["known kinds"][:, *place] = ndcg(thought[judged], (guess + 1e-3 * self._heuristic)[judged])
        self.noisy[place] = ndcg(thought[judged], (stars + 1e-3 * self._heuristic)[judged])
        for query in QUERIES:
            asked = self._asked(query, pool, judged, wanted, np.random.default_rng([seed, stream]))
            for count, scores in asked:
                curves[query][POINTS.index(count), *place] = ndcg(thought[judged], scores)

    def _asked(
        self,
        query: str,
        pool: NDArray[np.intp],
        judged: NDArray[np.intp],
        wanted: Array,
        rng: np.random.Generator,
    ) -> Iterator[tuple[int, Array]]:
        """Ask, learn, and give the scores of the judged candidates at each of `POINTS`."""
        asked: list[int] = []  # places in the pool
        everything = np.concatenate([judged, pool])
        shown = self._heuristic[everything]
        most = min(max(POINTS), len(pool))
        yield 0, shown[: len(judged)]
        while len(asked) < most:
            # Nobody is asked twice; between two trainings the same ranking is shown.
            count = min(self._every, most - len(asked))
            free = np.setdiff1d(np.arange(len(pool)), asked)
            if query == "random":
                asked += rng.choice(free, count, replace=False).tolist()
            elif query == "top":
                asked += free[np.argsort(-shown[len(judged) :][free], kind="stable")[:count]].tolist()
            else:
                beliefs = self._prior.rated(asked, wanted[pool[asked]])
                asked += choose(beliefs, free.tolist(), count, mix=self._mix, first=len(asked))
            if len(asked) >= self._first and (query == "top" or len(asked) in POINTS):
                shown = self._learnt(pool[asked], wanted, everything if query == "top" else judged)
            if len(asked) in POINTS:
                yield len(asked), shown[: len(judged)]

    def _learnt(self, rated: NDArray[np.intp], wanted: Array, of: NDArray[np.intp]) -> Array:
        """What the product shows of candidates after these ratings, which a training takes in a fixed order."""
        rated, heuristic = np.sort(rated), self._heuristic[of]
        if len(set(wanted[rated])) == 1:
            return heuristic
        regressor = regressor_of(
            self._learner, self._names, n_estimators=self._trees, learning_rate=self._learning_rate
        )
        pipeline = fitted_pipeline(regressor, self._values[rated], wanted[rated])
        learned = np.clip(pipeline.predict(self._values[of]), 0.0, 1.0)
        share = share_of(pipeline.steps[-1][1], len(rated)) if self._share is None else self._share
        return np.asarray(heuristic + share * (learned - heuristic))

    def figures(self) -> dict[str, Any]:
        """Means over tastes and seeds, and intervals over streams."""
        result: dict[str, Any] = {"points": POINTS, "tastes": self.tastes, "noise ceiling": _mean(self.noisy)}
        for part, curves in self.curves.items():
            ours, plain = curves["ours"], curves["heuristic"]
            talk = [n for n, name in enumerate(self.tastes) if name != "talk"]
            result[part] = {
                "curves": {name: [_mean(values) for values in curve] for name, curve in curves.items()},
                "lead": [_figure(a - b) for a, b in zip(ours, plain, strict=True)],
                "without talk": {
                    "ours": [_mean(values[talk]) for values in ours],
                    "heuristic": [_mean(values[talk]) for values in plain],
                    "lead": [_figure((a - b)[talk]) for a, b in zip(ours, plain, strict=True)],
                },
                "by taste": {
                    name: {query: [_mean(values[n]) for values in curves[query]] for query in ("heuristic", *QUERIES)}
                    for n, name in enumerate(self.tastes)
                },
                "area": {name: _mean(_area(curve)) for name, curve in curves.items()},
                "area lead": {
                    other: _figure(_area(ours) - _area(curves[other])) for other in ("heuristic", "random", "top")
                },
            }
        return result


def _area(curve: Array) -> Array:
    """Area under the curve up to `COMPARED_UP_TO` ratings, as a mean height."""
    points = [point for point in POINTS if point <= COMPARED_UP_TO]
    return np.asarray(np.trapezoid(curve[: len(points)], points, axis=0) / points[-1])


def _mean(values: Array) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _figure(values: Array) -> list[float | None]:
    """Mean, low and high of an array of tastes, streams and seeds: the streams are what is drawn anew."""
    by_stream = np.array([_mean(values[:, stream]) for stream in range(values.shape[1])])
    figure: Figure = mean_over(by_stream)
    return figure.as_list()


def _print(figures: Mapping[str, Any], pools: Sequence[Pool]) -> None:
    out = sys.stdout
    out.write(f"{sum(len(pool.rows) for pool in pools)} candidates, {min(len(pool.rows) for pool in pools)} or more a ")
    out.write(f"stream; {len(figures['tastes'])} people; rescaled NDCG@10; {figures['cpu_s']:.0f} CPU-s\n")
    out.write(
        f"ranked by the true stars 1.000; by one rating of each clip, with noise {figures['noise ceiling']:.3f}\n"
    )
    for part in PARTS:
        data = figures[part]
        out.write(f"\n{part + ', ratings:':36}" + "".join(f"{point:8d}" for point in POINTS) + "   area to 50\n")
        for name, curve in data["curves"].items():
            out.write(f"{name:36}" + "".join(f"{value:8.3f}" for value in curve) + f"   {data['area'][name]:.3f}\n")
        out.write(f"{'lead of ours':36}" + "".join(f"{lead[0]:+8.3f}" for lead in data["lead"]) + "\n")
        out.write(f"{'  at least (95 %)':36}" + "".join(f"{lead[1]:+8.3f}" for lead in data["lead"]) + "\n")
        for name, rows in data["by taste"].items():
            for query in ("heuristic", "ours"):
                out.write(f"  {name + ', ' + query:34}" + "".join(f"{value:8.3f}" for value in rows[query]) + "\n")
        for other, (mean, low, high) in data["area lead"].items():
            out.write(f"area of ours over {other:18}{mean:+8.3f} ({low:+.3f} to {high:+.3f})\n")
    out.write("\n")


def _targets_met(figures: Mapping[str, Any]) -> bool:
    """Say which targets are met."""
    rows: list[tuple[str, float, float]] = []
    whole, apart = figures[PARTS[0]], figures[PARTS[1]]
    for point, least in LEAST.items():
        place = POINTS.index(point)
        rows.append((f"after {point} ratings", whole["curves"]["ours"][place], least))
        rows.append((f"after {point}: lead over the heuristic, low end", whole["lead"][place][1], 0.0))
        rows.append((f"after {point}, without talk: lead, low end", whole["without talk"]["lead"][place][1], 0.0))
    for point, least in LEAST_LEAD.items():
        rows.append((f"shared left out, after {point}: lead", apart["lead"][POINTS.index(point)][0], least))
    for part, data in ((part, figures[part]) for part in PARTS):
        worst = min(
            (ours - plain, f"{name} at {point}")
            for name, taste in data["by taste"].items()
            for point, ours, plain in zip(POINTS, taste["ours"], taste["heuristic"], strict=True)
            if point >= 5
        )
        rows.append((f"{part}, worst taste: {worst[1]}", worst[0], -MOST_LOST))
    rows.append(("area over random queries, low end", whole["area lead"]["random"][1], 0.0))
    rows.append(("area over asking for the top", whole["area lead"]["top"][0], 0.0))
    for name, value, least in rows:
        verdict = "met" if value >= least else "MISSED"
        sys.stdout.write(f"{name:48} {value:+7.3f}  at least {least:+.2f}  {verdict}\n")
    return all(value >= least for _, value, least in rows)
