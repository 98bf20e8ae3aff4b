"""Ratings, what is learned from them, and the models that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, update
from sqlalchemy.orm import Session

from kick_clip_generator.core.clip_row import HEURISTIC
from kick_clip_generator.core.errors import ConflictError, InputError, NotFoundError
from kick_clip_generator.library import tables
from kick_clip_generator.library.files import canonical
from kick_clip_generator.library.records import (
    LABEL_STARS,
    MAX_STARS,
    MIN_STARS,
    ModelVersion,
    RatingCounts,
    RatingTotals,
    Sample,
    Unrated,
)
from kick_clip_generator.library.store import Store, nan_if_none, to_json


class RatingStore(Store):
    """Stars and skips, only ever added to, and the model versions trained on them."""

    def rate(self, clip_id: int, stars: int | None, model_version: int | None) -> RatingTotals:
        """Add a rating.

        Args:
            stars: 1–5, or None for a skip: that is no judgement, and earlier stars stay.
            model_version: the learned model that had chosen the clip, None for the heuristic alone.

        Raises:
            InputError: when the stars are out of range.
            NotFoundError: when there is no such clip.
        """
        if stars is not None and not MIN_STARS <= stars <= MAX_STARS:
            raise InputError(
                f"stars={stars} is not valid: it should be {MIN_STARS} to {MAX_STARS}, or nothing to skip."
            )
        with self.writing() as session:
            clip = session.get(tables.Clip, clip_id)
            if clip is None or clip.path is None:
                raise NotFoundError(f"There is no clip {clip_id} in the library; it may have been forgotten.")
            session.add(tables.Rating(clip_id=clip_id, stars=stars, model_version_n=model_version))
            clip.skipped = stars is None
            if stars is not None:
                clip.stars = stars
            session.flush()
            return _totals(session)

    def rating_totals(self) -> RatingTotals:
        """As `rate` returns them."""
        with self.reading() as session:
            return _totals(session)

    def training_samples(self) -> list[Sample]:
        """The latest stars of each clip, or else its label, in the order they were given. Skips are not labels."""
        newest = _newest(tables.Rating.stars.is_not(None)).union_all(_newest_labels())
        statement = (
            select(tables.Rating, tables.Clip, tables.Source.channel, tables.ClipFeature.row)
            .join(tables.Clip, tables.Clip.id == tables.Rating.clip_id)
            .join(tables.Source, tables.Source.id == tables.Clip.source_id)
            .join(tables.ClipFeature, tables.ClipFeature.clip_id == tables.Clip.id)
            .where(tables.Rating.id.in_(newest))
            .order_by(tables.Rating.id)
        )
        with self.reading() as session:
            return [
                Sample(
                    clip_id=rating.clip_id,
                    source_id=clip.source_id,
                    kind=clip.kind,
                    row=_row(clip, row),
                    stars=rating.stars or LABEL_STARS[rating.label or ""],
                    rated_at=rating.created_at,
                    rating_id=rating.id,
                    channel=channel,
                )
                for rating, clip, channel, row in session.execute(statement)
            ]

    def unrated(self, limit: int) -> list[Unrated]:
        """The newest clips that nobody has rated, skipped or dropped, with their features.

        Args:
            limit: at most so many.
        """
        statement = (
            select(tables.Clip, tables.Source.channel, tables.ClipFeature.row)
            .join(tables.Source, tables.Source.id == tables.Clip.source_id)
            .join(tables.ClipFeature, tables.ClipFeature.clip_id == tables.Clip.id)
            .where(tables.Clip.path.is_not(None), tables.Clip.stars.is_(None), ~tables.Clip.skipped)
            .where(tables.Clip.dropped_at.is_(None))
            .order_by(tables.Clip.id.desc())
            .limit(limit)
        )
        with self.reading() as session:
            return [
                Unrated(clip_id=clip.id, kind=clip.kind, row=_row(clip, row), channel=channel)
                for clip, channel, row in session.execute(statement)
            ]

    def rating_counts(self) -> RatingCounts:
        """How many clips have how many stars, and how often somebody skipped."""
        by_stars = dict.fromkeys(range(MIN_STARS, MAX_STARS + 1), 0)
        with self.reading() as session:
            rated = select(tables.Clip.stars, func.count()).where(tables.Clip.stars.is_not(None))
            for stars, count in session.execute(rated.group_by(tables.Clip.stars)):
                by_stars[stars or 0] = count
            neither = tables.Rating.stars.is_(None), tables.Rating.label.is_(None)
            skips = session.scalar(select(func.count()).where(*neither)) or 0
            labeled = session.scalar(select(func.count()).where(tables.Rating.id.in_(_newest_labels()))) or 0
        return RatingCounts(by_stars, skips, labeled)

    def next_model_n(self) -> int:
        """The number of the next model, for the name of its folder; `record_model` says when somebody was faster."""
        with self.reading() as session:
            return (session.scalar(select(func.max(tables.ModelVersion.n))) or 0) + 1

    def record_model(
        self,
        n: int,
        *,
        path: Path,
        sha256: str,
        samples: Sequence[Sample],
        kinds: Sequence[str],
        metrics: Mapping[str, Any],
        active: bool,
    ) -> ModelVersion:
        """Remember a model that lies on disk.

        Args:
            samples: what it was trained on.
            active: whether it ranks from now on; a refused candidate is recorded with False.

        Raises:
            ConflictError: when that number is taken.
        """
        with self.writing() as session:
            if session.get(tables.ModelVersion, n) is not None:
                raise ConflictError(f"Model {n} was recorded by another training; train again.")
            if active:
                _deactivate(session)
            row = tables.ModelVersion(
                n=n,
                path=str(canonical(path)),
                sha256=sha256,
                n_ratings=len(samples),
                last_rating_id=max((sample.rating_id for sample in samples), default=0),
                kinds=list(kinds),
                metrics=to_json(metrics),
                active=active,
            )
            session.add(row)
            session.flush()
            session.refresh(row)
            return _model(row)

    def active_model(self) -> ModelVersion | None:
        """The model that ranks, None for the heuristic alone."""
        with self.reading() as session:
            row = session.scalar(select(tables.ModelVersion).where(tables.ModelVersion.active))
            return None if row is None else _model(row)

    def models(self) -> list[ModelVersion]:
        """All models, the newest first."""
        with self.reading() as session:
            return [
                _model(row)
                for row in session.scalars(select(tables.ModelVersion).order_by(tables.ModelVersion.n.desc()))
            ]

    def activate(self, n: int | None) -> None:
        """Let a model rank from now on; None goes back to the heuristic alone.

        Raises:
            NotFoundError: when there is no such model.
        """
        with self.writing() as session:
            _deactivate(session)
            if n is None:
                return
            row = session.get(tables.ModelVersion, n)
            if row is None:
                raise NotFoundError(f"There is no model {n} in the library; choose one that is listed.")
            row.active = True


def _row(clip: tables.Clip, stored: Mapping[str, Any]) -> dict[str, float]:
    """A feature row as ranking saw it; rows of older versions do not say what the heuristic made of the clip."""
    row = {name: nan_if_none(value) for name, value in stored.items()}
    if row and HEURISTIC not in row and clip.model_version_n is None:
        row[HEURISTIC] = clip.score
    return row


def _newest(which: ColumnElement[bool]) -> Select[int]:
    """The latest of some ratings, of each clip that has any."""
    return select(func.max(tables.Rating.id)).where(which).group_by(tables.Rating.clip_id)


def _newest_labels() -> Select[int]:
    """The labels that teach: of clips without stars, and not taken back."""
    return (
        select(tables.Rating.id)
        .join(tables.Clip, tables.Clip.id == tables.Rating.clip_id)
        .where(
            tables.Rating.id.in_(_newest(tables.Rating.label.is_not(None))),
            tables.Rating.label.in_(tuple(LABEL_STARS)),
            tables.Clip.stars.is_(None),
        )
    )


def _totals(session: Session) -> RatingTotals:
    # Labels that teach nothing, of clips with stars, must not call for one training after the other.
    stars = or_(tables.Rating.stars.is_not(None), tables.Rating.id.in_(_newest_labels()))
    newest = select(func.coalesce(func.max(tables.ModelVersion.last_rating_id), 0)).scalar_subquery()
    total = session.scalar(select(func.count()).select_from(tables.Rating).where(stars)) or 0
    since = session.scalar(select(func.count()).select_from(tables.Rating).where(stars, tables.Rating.id > newest)) or 0
    return RatingTotals(total, since)


def _deactivate(session: Session) -> None:
    session.execute(update(tables.ModelVersion).where(tables.ModelVersion.active).values(active=False))


def _model(row: tables.ModelVersion) -> ModelVersion:
    return ModelVersion(
        n=row.n,
        path=Path(row.path),
        sha256=row.sha256,
        n_ratings=row.n_ratings,
        kinds=tuple(row.kinds),
        metrics=row.metrics,
        created_at=row.created_at,
        active=row.active,
    )
