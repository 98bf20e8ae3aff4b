"""Sources and the highlights of their latest analysis."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.core.records import Highlight, Source
from kick_clip_generator.library import tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.records import HighlightRecord, SourceRecord
from kick_clip_generator.library.store import (
    Store,
    highlight_from_json,
    highlight_to_json,
    nan_if_none,
    none_if_nan,
)

# Two runs that find one moment disagree by a tick or two about its ends.
SAME_MOMENT_IOU = 0.5


class SourceStore(Store):
    """What was analysed, and what was found there."""

    def record_source(self, source: Source) -> int:
        """Remember a source, or what is new about it; its URL and its fingerprint name it.

        Returns:
            its id, the same each time.
        """
        facts = {
            "title": source.title,
            "channel": source.channel,
            "duration_s": none_if_nan(source.duration_s),
            "live": source.live,
            "search": f"{source.title} {source.channel} {source.url}".casefold(),
        }
        with self.writing() as session:
            known: int | None = session.scalar(
                update(tables.Source)
                .where(tables.Source.url == source.url, tables.Source.fingerprint == source.fingerprint)
                .values(**facts, updated_at=database_now())
                .returning(tables.Source.id)
            )
            if known is not None:
                return known
            # The kind stays what it was: a kept download stands in for a stream that is gone.
            row = tables.Source(url=source.url, fingerprint=source.fingerprint, kind=source.kind, **facts)
            session.add(row)
            session.flush()
            return row.id

    def source(self, source_id: int) -> SourceRecord:
        """Raises:
        NotFoundError: when there is none of that id.
        """
        with self.reading() as session:
            row = session.get(tables.Source, source_id)
            if row is None:
                raise NotFoundError(f"There is no source {source_id} in the library; it may be another clips.db.")
            return _source(row)

    def sources(self) -> list[SourceRecord]:
        """All sources, the latest used first."""
        with self.reading() as session:
            rows = session.scalars(select(tables.Source).order_by(tables.Source.updated_at.desc()))
            return [_source(row) for row in rows]

    def replace_highlights(self, source_id: int, job_id: int | None, highlights: Sequence[Highlight]) -> list[int]:
        """Put the highlights of a new analysis in the place of the source's older ones.

        Older ones whose clips are rated, kept, dropped or moved stay; one that was found again keeps its id.

        Returns:
            the id of each highlight, in the order given.
        """
        with self.writing() as session:
            precious = select(tables.Clip.highlight_id).where(
                tables.Clip.highlight_id.is_not(None),
                or_(
                    tables.Clip.stars.is_not(None),
                    tables.Clip.kept,
                    tables.Clip.moved_at.is_not(None),
                    tables.Clip.dropped_at.is_not(None),
                ),
            )
            of_source = tables.Highlight.source_id == source_id
            session.execute(delete(tables.Highlight).where(of_source, tables.Highlight.id.not_in(precious)))
            stayed = list(session.scalars(select(tables.Highlight).where(of_source)))
            return [_put(session, source_id, job_id, highlight, stayed) for highlight in highlights]

    def highlights(self, source_id: int) -> list[HighlightRecord]:
        """The highlights of a source, best first."""
        with self.reading() as session:
            rows = session.scalars(
                select(tables.Highlight)
                .where(tables.Highlight.source_id == source_id)
                .order_by(tables.Highlight.score.desc(), tables.Highlight.id)
            )
            return [HighlightRecord(row.id, row.source_id, row.job_id, highlight_from_json(row.body)) for row in rows]


def _put(
    session: Session, source_id: int, job_id: int | None, highlight: Highlight, stayed: list[tables.Highlight]
) -> int:
    again = next((row for row in stayed if _same_moment(row, highlight)), None)
    if again is None:
        row = tables.Highlight(source_id=source_id)
        session.add(row)
    else:
        stayed.remove(again)
        row = again
    row.job_id = job_id
    row.kind = highlight.kind
    row.score = float(highlight.score)
    row.event_start_s = float(highlight.event.start_s)
    row.event_end_s = float(highlight.event.end_s)
    row.body = highlight_to_json(highlight)
    session.flush()
    return row.id


def _same_moment(row: tables.Highlight, highlight: Highlight) -> bool:
    event = highlight_from_json(row.body).event
    return row.kind == highlight.kind and event.temporal_iou(highlight.event) >= SAME_MOMENT_IOU


def _source(row: tables.Source) -> SourceRecord:
    return SourceRecord(
        id=row.id,
        url=row.url,
        kind=row.kind,
        title=row.title,
        channel=row.channel,
        duration_s=nan_if_none(row.duration_s),
        fingerprint=row.fingerprint,
        live=row.live,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
