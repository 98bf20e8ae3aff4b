"""Stars in, better rankings out: the loop in its first form."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from kick_clip_generator.core.errors import ClipGeneratorError, InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery
from kick_clip_generator.pipeline.retrain import RetrainResult, retrain_models

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RateOutcome:
    """What a rating led to.

    Attributes:
        total: clips rated in all.
        message: one sentence: when the next training is, or how it went.
        retrained: the training that this rating set off, if any.
    """

    total: int
    message: str
    retrained: RetrainResult | None = None


def rate(library: Library, settings: Settings, clip_id: int, stars: int | None) -> RateOutcome:
    """Store a rating; every `RETRAIN_EVERY` ratings the models are trained anew.

    Args:
        clip_id: the clip that was looked at.
        stars: 1-5, or None to skip, which is not a label.

    Raises:
        InputError: for another number of stars.
        LibraryError: when there is no such clip.
    """
    if stars is not None and stars not in (1, 2, 3, 4, 5):
        raise InputError(f"A rating is 1 to 5 stars, got {stars!r}.")
    clip = library.clip(clip_id)
    totals = library.rate(clip_id, stars, clip.model_version)
    if stars is None:
        return RateOutcome(totals.total, "Skipped.")
    return after_rating(library, settings)


def after_rating(library: Library, settings: Settings) -> RateOutcome:
    """What stars, or a clip that was kept or dropped, lead to: a training when it is time for one."""
    totals = library.rating_totals()
    counts = library.rating_counts()
    # A clip that is rated again is still one label.
    rated = counts.rated_clips + counts.labeled_clips
    if rated < settings.min_training_samples:
        return RateOutcome(totals.total, f"Not enough ratings yet: {rated} of {settings.min_training_samples}.")
    if totals.since_last_model < settings.retrain_every:
        left = settings.retrain_every - totals.since_last_model
        return RateOutcome(totals.total, f"{totals.total} ratings; the models are trained again after {left} more.")
    try:
        result = retrain_models(library, settings)
    except ClipGeneratorError as error:
        # The stars are stored; a training that fails must not look as if they were lost.
        log.warning("Retraining failed: %s", error)
        return RateOutcome(totals.total, f"Stored. Training failed: {error}")
    return RateOutcome(totals.total, result.reason, result)


def next_to_rate(library: Library) -> Clip | None:
    """The best clip that nobody has rated or skipped yet; None when all are."""
    page = library.clips(ClipQuery(unrated=True, skipped=False, sort="score", limit=1))
    return page.items[0] if page.items else None
