"""Ratings to a candidate model, to the version in use or to the shelf."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.learning.model import MLHighlightModel
from kick_clip_generator.learning.train import retrain
from kick_clip_generator.learning.versions import keep_newest, load_active, next_number
from kick_clip_generator.library.library import Library

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrainResult:
    """What came of a training.

    Attributes:
        number: the version that was written, None when there was nothing to train on.
        promoted: whether it ranks from now on.
        reason: a sentence for the user.
        metrics: how it was judged.
    """

    number: int | None
    promoted: bool
    reason: str
    metrics: Mapping[str, Any]


def retrain_models(library: Library, settings: Settings, *, template: MLHighlightModel | None = None) -> RetrainResult:
    """Train on all ratings of the library, judge, keep the version, and use it when it is not worse.

    Args:
        library: gives the ratings and records the version.
        settings: number of trees, learning rate, folders.
        template: a model whose assigned regressors are to be trained; None for those of the version in use.

    Raises:
        ModelError: when a regressor refuses its parameters or the data.
        LibraryError: when the version cannot be written.
    """
    samples = library.training_samples()
    active = library.active_model()
    current = template or load_active(settings.model_dir, active.n if active else None).model
    trained = retrain(
        samples,
        min_training_samples=settings.min_training_samples,
        n_estimators=settings.n_estimators,
        learning_rate=settings.learning_rate,
        learner=settings.learner,
        share=settings.learned_share,
        current=current,
    )
    if trained.model is None:
        return RetrainResult(None, False, trained.reason, trained.metrics)
    number = max(library.next_model_n(), next_number(settings.model_dir))
    path = trained.model.save(
        settings.model_dir,
        number,
        ratings=len(samples),
        sources=len({sample.source_id for sample in samples}),
        metrics=trained.metrics,
    )
    library.record_model(
        number,
        path=path,
        sha256=str(trained.model.card["sha256"]),
        samples=samples,
        kinds=[kind for kind in ("audio", "video") if trained.model.is_fitted(kind)],
        metrics=trained.metrics,
        active=trained.promoted,
    )
    in_use = library.active_model()
    keep_newest(settings.model_dir, active=in_use.n if in_use else None)
    log.info("Model %d: %s", number, trained.reason)
    return RetrainResult(number, trained.promoted, trained.reason, trained.metrics)
