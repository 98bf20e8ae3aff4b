"""Ratings to a candidate, judged on ratings it did not see, promoted or refused."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.learning.dataset import Sample
from kick_clip_generator.learning.figures import NAMES, figures, mean_over
from kick_clip_generator.learning.judge import (
    FEWEST_PAIRS,
    Order,
    order_within,
    plan_folds,
    progressive_scores,
    unseen_scores,
)
from kick_clip_generator.learning.model import EVERY, KINDS, Learner, MLHighlightModel

Scores = NDArray[np.float64]

# A kind with fewer ratings of its own learns from the ratings of all kinds: the rows have the same names.
FEWEST_OF_A_KIND = 5

CHANCE = 0.5

# The model in use may have learnt from other clips of the streams that are put aside for judging the candidate, and a
# handful of new ratings is noisy: only a clear lead of the old model counts against the new one.
LEAD_OF_CURRENT = 0.1


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training.

    Attributes:
        model: the candidate, also when it was refused; None when there was nothing to train on.
        promoted: whether it is to be used from now on.
        reason: a sentence for the user.
        metrics: what JSON can hold, None for unknown: `ratings`, `sources`, `judged_by`, `folds`, `pairs`,
            `pairwise_accuracy`; `unseen` and `progressive`, each with the figures of `figures.NAMES` as value, low and
            high for `candidate`, for `heuristic` on the same clips, and for `lead`, the one less the other; `kinds`
            (for each kind `ratings`, `fitted_on`, `share`, `pairs`, `pairwise_accuracy`), and `new` (`pairs`,
            `candidate`, `current`: both models on the ratings that the one in use has not seen).
    """

    model: MLHighlightModel | None
    promoted: bool
    reason: str
    metrics: dict[str, Any] = field(default_factory=dict)


def retrain(
    samples: Sequence[Sample],
    *,
    min_training_samples: int = 10,
    n_estimators: int = 100,
    learning_rate: float = 0.1,
    learner: Learner | None = None,
    share: float | None = None,
    current: MLHighlightModel | None = None,
) -> Trained:
    """Train a model on all ratings and decide whether it replaces the one in use.

    Judged are scores as they are shown: what the model says, blended with the heuristic. The rule: the candidate is
    promoted unless, on at least `judge.FEWEST_PAIRS` pairs of clips that it did not see, it orders fewer than half as
    they were rated; or unless the heuristic alone orders them better, by more than the streams differ (the 95 %
    interval of the lead lies below 0); or unless, on as many pairs rated since the model in use was trained, that model
    orders more of them right by at least `LEAD_OF_CURRENT`. What cannot be judged yet is promoted: it begins where the
    heuristic stands.

    Args:
        samples: one for each rated clip, the latest rating; skipped clips left out. Those without features are ignored.
        min_training_samples: below this many nothing is trained.
        n_estimators, learning_rate: of the boosting.
        learner: what to train, see `MLHighlightModel`; None for that of the model in use.
        share: of the learned score in what is shown; None for what the model says itself.
        current: the model in use; regressors assigned to it are used for the candidate too.

    Returns:
        The candidate and the decision.

    Raises:
        ModelError: when an assigned regressor refuses its parameters or the data.
    """
    ordered = sorted((s for s in samples if s.row), key=lambda s: (s.source_id, s.kind, s.rated_at, s.stars))
    least = max(min_training_samples, 2)
    if len(ordered) < least:
        return Trained(None, False, f"Not enough ratings yet: {len(ordered)} of {min_training_samples}.")
    if len({sample.stars for sample in ordered}) == 1:
        return Trained(
            None,
            False,
            f"All {len(ordered)} ratings have {_stars(ordered[0].stars)}, so there is no taste to learn yet; "
            "the ranking stays as it is.",
        )
    template = current if current is not None else MLHighlightModel()

    def train(on: Sequence[Sample]) -> MLHighlightModel:
        return _fit(template.unfitted(n_estimators, learning_rate, learner), on)

    def predict(on: Sequence[Sample], of: Sequence[Sample]) -> Scores:
        return _shown(train(on), of, share)

    candidate = train(ordered)
    candidate.trained_until = max(sample.rated_at for sample in ordered)

    folds = plan_folds(ordered)
    unseen = unseen_scores(ordered, folds, predict)
    heuristic = np.array([sample.row.get(HEURISTIC, math.nan) for sample in ordered])
    progress = progressive_scores(ordered, least, predict)
    whole = _compared(folds.group, ordered, unseen, heuristic)
    all_kinds = _order(ordered, unseen, folds.group)
    newer = _newer_than(current, ordered)
    by_candidate = _order(ordered, unseen, folds.group, newer)
    by_current = Order() if current is None else _order(ordered, _shown(current, ordered, share), folds.group, newer)

    metrics: dict[str, Any] = {
        "ratings": len(ordered),
        "sources": len({sample.source_id for sample in ordered}),
        "judged_by": folds.method,
        "folds": folds.count,
        "pairs": all_kinds.pairs,
        "pairwise_accuracy": _known(all_kinds.accuracy),
        "unseen": whole,
        "progressive": _compared(progress.step, ordered, progress.scores, heuristic),
        "kinds": {kind: _of_kind(kind, candidate, ordered, unseen, folds.group, share) for kind in KINDS},
        "new": {
            "pairs": by_current.pairs,
            "candidate": _known(by_candidate.accuracy),
            "current": _known(by_current.accuracy),
        },
    }
    return Trained(candidate, *_decide(all_kinds, whole, by_candidate, by_current), metrics)


def _decide(
    all_kinds: Order, whole: dict[str, dict[str, list[float | None]]], by_candidate: Order, by_current: Order
) -> tuple[bool, str]:
    judged = f"it put {all_kinds.accuracy:.0%} of {all_kinds.pairs} pairs of clips it had not seen in your order"
    if all_kinds.pairs < FEWEST_PAIRS:
        return True, "The model is trained; there are too few different ratings yet to judge it."
    if all_kinds.accuracy < CHANCE:
        return False, f"The new model is not used: {judged}, which is worse than chance."
    most = whole["lead"]["pairwise"][2]
    if most is not None and most < 0:
        return False, f"The new model is not used: {judged}, and the ranking without a model more of them."
    if by_current.pairs >= FEWEST_PAIRS and by_current.accuracy - by_candidate.accuracy >= LEAD_OF_CURRENT:
        return False, (
            f"The new model is not used: of your newest ratings it put {by_candidate.accuracy:.0%} of "
            f"{by_current.pairs} pairs in your order, the model in use {by_current.accuracy:.0%}."
        )
    return True, f"The model is trained: {judged}."


def _compared(
    groups: Sequence[Hashable], samples: Sequence[Sample], scores: Scores, heuristic: Scores
) -> dict[str, dict[str, list[float | None]]]:
    """Figures of the candidate, of the heuristic on the same clips, and of how far the one leads."""
    judged = np.isfinite(scores)
    both = judged & np.isfinite(heuristic)
    # Where the heuristic is known for few clips only, it is left out of the comparison.
    chosen = np.flatnonzero(both if 2 * both.sum() >= judged.sum() else judged).tolist()
    compared = [groups[i] for i in chosen], [samples[i].stars for i in chosen]
    candidate, other = (figures(*compared, shown[chosen]) for shown in (scores, heuristic))
    if not np.isfinite(heuristic[chosen]).all():
        other = {name: np.full_like(values, np.nan) for name, values in other.items()}
    return {
        "candidate": {name: mean_over(candidate[name]).as_list() for name in NAMES},
        "heuristic": {name: mean_over(other[name]).as_list() for name in NAMES},
        "lead": {name: mean_over(candidate[name] - other[name]).as_list() for name in NAMES},
    }


def _of_kind(
    kind: str,
    candidate: MLHighlightModel,
    samples: Sequence[Sample],
    unseen: Scores,
    groups: Sequence[Hashable],
    share: float | None,
) -> dict[str, Any]:
    found = _order(samples, unseen, groups, [i for i, sample in enumerate(samples) if sample.kind == kind])
    own = _own(samples, kind)
    alone = candidate.stands_alone(kind) and _enough(own)
    return {
        "ratings": len(own),
        "fitted_on": "its own ratings" if alone else "the ratings of all kinds",
        "share": candidate.share(kind) if share is None else share,
        "pairs": found.pairs,
        "pairwise_accuracy": _known(found.accuracy),
    }


def _own(samples: Sequence[Sample], kind: str) -> list[Sample]:
    return [sample for sample in samples if sample.kind == kind]


def _enough(own: Sequence[Sample]) -> bool:
    return len(own) >= FEWEST_OF_A_KIND and len({sample.stars for sample in own}) > 1


def _fit(model: MLHighlightModel, samples: Sequence[Sample]) -> MLHighlightModel:
    alone = [kind for kind in KINDS if model.stands_alone(kind)]
    for kind in alone:
        own = _own(samples, kind)
        used = own if _enough(own) else samples
        model.fit(kind, [sample.row for sample in used], [sample.stars for sample in used])
    if len(alone) < len(KINDS) or {sample.kind for sample in samples} - set(KINDS):
        model.fit(EVERY, [sample.row for sample in samples], [sample.stars for sample in samples])
    return model


def _shown(model: MLHighlightModel, samples: Sequence[Sample], share: float | None) -> Scores:
    """What each sample would score with this model, NaN where its kind is not fitted."""
    scores = np.full(len(samples), np.nan)
    for kind in sorted({sample.kind for sample in samples}):
        inside = [i for i, sample in enumerate(samples) if sample.kind == kind]
        learned = model.predict(kind, [samples[i].row for i in inside])
        if learned is None:
            continue
        heuristic = np.array([samples[i].row.get(HEURISTIC, math.nan) for i in inside])
        weight = model.share(kind) if share is None else share
        blended = heuristic + (1.0 if weight is None else weight) * (learned - heuristic)
        scores[inside] = np.where(np.isfinite(heuristic), blended, learned)
    return scores


def _order(
    samples: Sequence[Sample],
    scores: Scores,
    groups: Sequence[Hashable],
    among: Sequence[int] | None = None,
) -> Order:
    """The order of the samples that have a score, or of those `among` them."""
    chosen = [i for i in (range(len(samples)) if among is None else among) if not math.isnan(scores[i])]
    return order_within([groups[i] for i in chosen], [samples[i].stars for i in chosen], [scores[i] for i in chosen])


def _newer_than(current: MLHighlightModel | None, samples: Sequence[Sample]) -> list[int]:
    """The ratings that the model in use has not seen; none when it does not know until when it was trained."""
    if current is None or current.trained_until is None:
        return []
    return [i for i, sample in enumerate(samples) if sample.rated_at > current.trained_until]


def _known(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _stars(stars: float) -> str:
    return f"{stars:g} star" + ("" if stars == 1 else "s")
