"""Training on ratings: when there is a model, how it is judged, and when it is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.learning.judge import order, plan_folds, progressive_scores, unseen_scores
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.learning.train import retrain


@dataclass(frozen=True)
class Rated:
    source_id: int
    kind: str
    stars: int
    rated_at: float = 0.0
    row: dict[str, float] = field(default_factory=dict)


def rated(
    count: int,
    *,
    seed: int = 1,
    streams: int = 3,
    kinds: Sequence[str] = ("audio", "video"),
    sign: int = 1,
    start_s: float = 0.0,
) -> list[Rated]:
    """Ratings of somebody who likes it loud (or, with sign -1, quiet)."""
    rng = np.random.default_rng(seed)
    levels = rng.random(count)
    return [
        Rated(
            source_id=k % streams,
            kind=kinds[k // streams % len(kinds)],
            stars=1 + int((level if sign > 0 else 1 - level) * 4.999),
            rated_at=start_s + k,
            row={"rms_mean": float(level), **{f"signal_{n}_mean": float(rng.normal()) for n in range(10)}},
        )
        for k, level in enumerate(levels)
    ]


def test_too_few_ratings_say_how_many_are_missing() -> None:
    result = retrain(rated(7))
    assert (result.model, result.promoted) == (None, False)
    assert result.reason == "Not enough ratings yet: 7 of 10."


def test_clips_without_features_teach_nothing() -> None:
    assert retrain([*rated(9), Rated(1, "audio", 5)]).reason == "Not enough ratings yet: 9 of 10."


def test_equal_stars_teach_nothing() -> None:
    same = [Rated(r.source_id, r.kind, 5, r.rated_at, r.row) for r in rated(20)]
    result = retrain(same)
    assert (result.model, result.promoted) == (None, False)
    assert "All 20 ratings have 5 stars" in result.reason


def test_a_taste_is_learnt_judged_and_promoted() -> None:
    result = retrain(rated(45))
    assert result.promoted and result.model is not None
    assert result.metrics["judged_by"] == "leave-one-source-out" and result.metrics["folds"] == 3
    assert result.metrics["pairwise_accuracy"] > 0.65
    assert set(result.metrics["kinds"]) == {"audio", "video"}
    quiet, loud = {"rms_mean": 0.05}, {"rms_mean": 0.95}
    for kind in ("audio", "video"):
        scores = result.model.predict(kind, [quiet, loud])
        assert scores is not None and scores[0] < scores[1]


def test_metrics_fit_into_json() -> None:
    first = retrain(rated(12, kinds=("audio",)), n_estimators=5)
    assert first.metrics["kinds"]["video"]["pairwise_accuracy"] is None
    for result in (first, retrain(rated(12), n_estimators=5, current=first.model)):
        json.dumps(result.metrics, allow_nan=False)


def test_stars_by_chance_do_not_look_learnt() -> None:
    """Over many worlds without any taste the measure must be about a half: no fold leaks into its own judgement."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(10):
        noise = [Rated(r.source_id, r.kind, int(rng.integers(1, 6)), r.rated_at, r.row) for r in rated(40, seed=seed)]
        found.append(retrain(noise, n_estimators=10).metrics["pairwise_accuracy"])
    assert np.mean(found) == pytest.approx(0.5, abs=0.07)


def test_a_model_worse_than_chance_is_refused() -> None:
    """What is loved on one stream is hated on the next: whoever learnt from one is wrong about the other."""
    samples = rated(30, streams=1) + [
        Rated(1, r.kind, r.stars, r.rated_at, r.row) for r in rated(30, seed=2, streams=1, sign=-1)
    ]
    result = retrain(samples)
    assert result.model is not None and not result.promoted
    assert "worse than chance" in result.reason
    assert result.metrics["pairwise_accuracy"] < 0.5


def test_a_clearly_better_current_model_stays() -> None:
    current = MLHighlightModel()
    quiet = rated(100, seed=5, sign=-1)
    for kind in ("audio", "video"):
        current.fit(kind, [r.row for r in quiet], [r.stars for r in quiet])
    current.trained_until = 100.0
    old = rated(120, seed=6, streams=4)
    new = [Rated(4, r.kind, r.stars, r.rated_at, r.row) for r in rated(14, seed=7, streams=1, sign=-1, start_s=200)]
    result = retrain(old + new, n_estimators=30, current=current)
    assert not result.promoted
    assert "the model in use" in result.reason
    assert result.metrics["new"]["current"] > 0.6 > result.metrics["new"]["candidate"]


def test_the_current_model_is_not_asked_about_ratings_it_was_trained_on() -> None:
    samples = rated(30)
    first = retrain(samples, n_estimators=30)
    again = retrain(samples, n_estimators=30, current=first.model)
    assert first.model is not None and first.model.trained_until == 29
    assert again.promoted
    assert again.metrics["new"] == {"pairs": 0, "candidate": None, "current": None}


def test_a_kind_with_few_ratings_learns_from_both() -> None:
    few = [Rated(0, "video", 1 + k, 100.0 + k, {"rms_mean": k / 4}) for k in range(3)]
    result = retrain(rated(30, kinds=("audio",)) + few, learner="boosting")
    assert result.metrics["kinds"]["audio"]["fitted_on"] == "its own ratings"
    assert result.metrics["kinds"]["video"]["fitted_on"] == "the ratings of all kinds"
    assert result.model is not None
    scores = result.model.predict("video", [{"rms_mean": 0.05}, {"rms_mean": 0.95}])
    assert scores is not None and scores[0] < scores[1]


def test_one_stream_is_judged_by_folds() -> None:
    result = retrain(rated(20, streams=1))
    assert result.metrics["judged_by"] == "k-fold"
    assert result.metrics["sources"] == 1 and result.metrics["pairs"] >= 10


def test_the_order_of_the_ratings_does_not_matter() -> None:
    samples = rated(30)
    one, other = retrain(samples, n_estimators=30), retrain(samples[::-1], n_estimators=30)
    unseen = [r.row for r in rated(20, seed=9)]
    assert one.metrics == other.metrics
    assert one.model is not None and other.model is not None
    assert np.array_equal(one.model.predict("audio", unseen), other.model.predict("audio", unseen))  # type: ignore[arg-type]


def test_an_assigned_regressor_is_retrained() -> None:
    current = MLHighlightModel()
    current.audio_model = RandomForestRegressor(n_estimators=9)
    model = retrain(rated(12), current=current).model
    assert model is not None and model is not current
    assert isinstance(model.audio_model, RandomForestRegressor)
    assert current.predict("audio", [{"rms_mean": 1.0}]) is None, "the model in use was changed"


def test_no_stream_is_on_both_sides() -> None:
    samples = rated(40, streams=23)
    folds = plan_folds(samples + rated(40, streams=2))
    assert folds.method == "leave-one-source-out" and folds.count <= 10
    everything = samples + rated(40, streams=2)
    seen: list[int] = []

    def predict(on: Sequence[Rated], of: Sequence[Rated]) -> np.ndarray:
        assert not {r.source_id for r in on} & {r.source_id for r in of}
        seen.append(len(of))
        return np.zeros(len(of))

    assert not np.isnan(unseen_scores(everything, folds, predict)).any()  # type: ignore[arg-type]
    assert sum(seen) == len(everything)


def test_pairs_are_counted_once_and_ties_count_half() -> None:
    assert order([1, 3, 5], [0.1, 0.2, 0.3]).accuracy == 1.0
    assert order([1, 3, 5], [0.3, 0.2, 0.1]).accuracy == 0.0
    assert order([1, 3, 5], [0.5, 0.5, 0.5]).accuracy == 0.5
    assert order([1, 5, 5], [0.1, 0.2, 0.3]).pairs == 2
    assert math.isnan(order([3, 3], [0.1, 0.2]).accuracy)


def with_heuristic(samples: Sequence[Rated], *, sign: int) -> list[Rated]:
    """The same ratings, and a heuristic that agrees with the stars (or, with sign -1, contradicts them)."""
    return [
        Rated(
            r.source_id,
            r.kind,
            r.stars,
            r.rated_at,
            {**r.row, HEURISTIC: 0.5 + sign * (r.stars - 3) / 5 + (k % 7 - 3) / 100},
        )
        for k, r in enumerate(samples)
    ]


def test_it_is_judged_beside_the_heuristic_in_two_ways_with_intervals() -> None:
    metrics = retrain(with_heuristic(rated(60, streams=6), sign=-1)).metrics
    for judged in ("unseen", "progressive"):
        for name in ("ndcg", "pairwise", "spearman"):
            candidate, heuristic, lead = (metrics[judged][who][name] for who in ("candidate", "heuristic", "lead"))
            for value, low, high in (candidate, heuristic, lead):
                assert low <= value <= high
            assert lead[0] == pytest.approx(candidate[0] - heuristic[0], abs=2e-4)
            assert candidate[0] > heuristic[0], "who contradicts the heuristic is understood all the same"
    assert metrics["kinds"]["audio"]["share"] == 1.0
    json.dumps(metrics, allow_nan=False)


def test_a_model_that_the_heuristic_beats_is_refused() -> None:
    """What is liked is loud in one stream and quiet in the next; the heuristic knows better."""
    samples = [
        Rated(stream, r.kind, r.stars, r.rated_at, r.row)
        for stream in range(6)
        for r in rated(12, seed=stream, streams=1, sign=1 if stream % 2 else -1)
    ]
    result = retrain(with_heuristic(samples, sign=1), learner="boosting", share=1.0, n_estimators=20)
    assert result.model is not None
    if result.metrics["pairwise_accuracy"] >= 0.5:
        assert result.promoted == (result.metrics["unseen"]["lead"]["pairwise"][2] >= 0)
    assert not result.promoted


def test_predictions_come_before_learning() -> None:
    samples = rated(40, streams=2)
    came: list[tuple[float, float]] = []

    def predict(on: Sequence[Rated], of: Sequence[Rated]) -> np.ndarray:
        came.append((max(r.rated_at for r in on), min(r.rated_at for r in of)))
        return np.array([r.rated_at for r in of])

    shuffled = [samples[k] for k in np.random.default_rng(0).permutation(len(samples))]
    found = progressive_scores(shuffled, 10, predict)  # type: ignore[arg-type]
    assert all(learnt < asked for learnt, asked in came) and len(came) <= 6
    assert [step == -1 for step in found.step] == [bool(nan) for nan in np.isnan(found.scores)]
    assert np.isnan(found.scores).sum() == 10


def test_a_fixed_share_is_what_is_judged() -> None:
    samples = with_heuristic(rated(40), sign=-1)
    alone = retrain(samples, share=0.0).metrics["unseen"]
    assert alone["candidate"] == alone["heuristic"]
    assert alone["lead"]["pairwise"][0] == 0.0
