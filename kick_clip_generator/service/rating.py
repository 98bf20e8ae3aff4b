"""Stars in, better rankings out."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from kick_clip_generator.core.errors import ClipGeneratorError, InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.learning.dataset import feature_names, table, targets
from kick_clip_generator.learning.queries import Beliefs, choose
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, Sample, Unrated
from kick_clip_generator.pipeline.retrain import RetrainResult, retrain_models

log = logging.getLogger(__name__)

# A page waits for the next clip: with as many open and rated ones it is chosen in about a tenth of a second.
MOST_OPEN, MOST_RATED = 200, 200


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


def next_to_rate(library: Library, settings: Settings, *, besides: Collection[int] = ()) -> Clip | None:
    """The clip to ask about next, see `to_rate`; None when all are rated or skipped."""
    return next(iter(to_rate(library, settings, 1, besides=besides)), None)


def to_rate(library: Library, settings: Settings, count: int = 10, *, besides: Collection[int] = ()) -> list[Clip]:
    """The clips to ask about next, chosen so that stars teach much and are a pleasure to give.

    Chosen from the newest `MOST_OPEN` clips that nobody has rated or skipped, in the light of the newest ratings; how
    the strategies of `learning.queries` share the questions is a setting (`ASK_BEST` and others).

    Args:
        settings: how the strategies share the questions.
        count: at most so many.
        besides: clips that are not to be asked about, such as one that is just being rated.
    """
    open_clips = [clip for clip in library.unrated(MOST_OPEN + len(besides)) if clip.clip_id not in besides]
    if not open_clips:
        return []
    rated = library.training_samples()
    seen = rated[-MOST_RATED:]
    known: list[Unrated | Sample] = [*open_clips, *seen]
    names = feature_names([one.row for one in known])
    beliefs = Beliefs.before(
        table([one.row for one in known], names), names, [(one.channel, one.kind) for one in known]
    )
    answered = range(len(open_clips), len(known))
    chosen = choose(
        beliefs.rated(answered, targets([sample.stars for sample in seen])),
        range(len(open_clips)),
        count,
        mix=settings.ask_mix,
        first=len(rated),
    )
    return [library.clip(open_clips[index].clip_id) for index in chosen]
