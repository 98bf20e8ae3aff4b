"""Clips: what was cut, where it lies, and pages of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, delete, exists, select
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import ConflictError, NotFoundError
from kick_clip_generator.core.records import Span
from kick_clip_generator.library import tables
from kick_clip_generator.library.clip_lists import check_query, marker_after, page_statement
from kick_clip_generator.library.files import canonical
from kick_clip_generator.library.records import (
    CheckState,
    Clip,
    ClipQuery,
    ClipRecord,
    Page,
    Published,
)
from kick_clip_generator.library.store import Store, highlight_from_json, highlight_to_json, to_json


class ClipStore(Store):
    """The clips that were published."""

    def record_clip(self, record: ClipRecord) -> int:
        """Remember a published clip and the features that ranking saw.

        A clip that was recorded at the same path is forgotten: its file is gone.

        Returns:
            the id, never used before.
        """
        path = str(record.file.path)
        event = record.highlight.event
        with self.writing() as session:
            before = session.scalar(select(tables.Clip).where(tables.Clip.path == path))
            if before is not None:
                _forget(session, before)
            row = tables.Clip(
                source_id=record.source_id,
                highlight_id=record.highlight_id,
                highlight=highlight_to_json(record.highlight),
                kind=record.kind,
                start_s=float(record.span.start_s),
                end_s=float(record.span.end_s),
                event_start_s=float(event.start_s),
                event_end_s=float(event.end_s),
                score=float(record.highlight.score),
                cut=record.cut,
                model_version_n=record.model_version,
                quality=record.quality,
                home=str(record.file.path.parent),
            )
            set_file(row, record.file)
            row.check_note = record.check_note or None
            session.add(row)
            session.flush()
            session.add(tables.ClipFeature(clip_id=row.id, row=to_json(record.row)))
            session.execute(delete(tables.Setting).where(tables.Setting.name == announced_name(record.file.path)))
            return row.id

    def clip(self, clip_id: int) -> Clip:
        """Raises:
        NotFoundError: when there is none of that id, or it was forgotten.
        """
        with self.reading() as session:
            row, source = found_clip(session, clip_id)
            return as_clip(row, source.url, source.title)

    def clip_at(self, path: Path) -> Clip | None:
        """The clip that was recorded at a path, None when there is none; its file may be gone (`is_precious`)."""
        with self.reading() as session:
            found = session.execute(_with_source().where(tables.Clip.path == str(canonical(path)))).first()
            if found is None:
                return None
            row, source = found
            return as_clip(row, source.url, source.title)

    def clips(self, query: ClipQuery = ClipQuery()) -> Page[Clip]:  # noqa: B008  # frozen
        """One page of clips; the next page begins after the last clip of this one, wherever that has moved.

        Raises:
            InputError: when a value of the query is out of range.
        """
        check_query(query)
        statement = page_statement(query)
        with self.reading() as session:
            found = [as_clip(row, row.source_url, row.source_title) for row in session.execute(statement)]
        items = tuple(found[: query.limit])
        return Page(items, marker_after(query, items[-1]) if len(found) > query.limit else None)

    def update_clip(
        self, clip_id: int, *, kept: bool | None = None, file: Published | None = None, span: Span | None = None
    ) -> Clip:
        """Change what is given: whether the clip is kept, its file (moved or cut anew), what was cut.

        Raises:
            NotFoundError: when there is no such clip.
            ConflictError: when the new path belongs to another clip.
        """
        with self.writing() as session:
            row, source = found_clip(session, clip_id)
            if kept is not None:
                row.kept = kept
            if file is not None:
                other = select(exists().where(tables.Clip.path == str(file.path), tables.Clip.id != clip_id))
                if session.scalar(other):
                    raise ConflictError(f"{file.path} belongs to another clip; choose another name.")
                set_file(row, file)
            if span is not None:
                row.start_s, row.end_s = float(span.start_s), float(span.end_s)
            session.flush()
            return as_clip(row, source.url, source.title)

    def set_checked(self, clip: Clip, checked: CheckState, note: str) -> bool:
        """Note what decoding all of a clip has shown.

        Args:
            clip: as it was read before.
            note: takes the place of the row's; may be empty.

        Returns:
            False when the clip has another file by now, or was forgotten; then nothing is noted.
        """
        with self.writing() as session:
            row = session.get(tables.Clip, clip.id)
            if row is None or row.path is None or row.sha256 != clip.sha256:
                return False
            row.checked, row.check_note = checked, note or None
            return True

    def forget_clip(self, clip_id: int) -> None:
        """Take a clip out of the library, not off the disk. Ratings that it got go on teaching the models.

        Raises:
            NotFoundError: when there is no such clip.
        """
        with self.writing() as session:
            _forget(session, found_clip(session, clip_id)[0])

    @staticmethod
    def is_precious(clip: Clip) -> bool:
        """Whether the place of a clip must not be used again.

        It is rated, kept or dropped, its ends were moved, or its file is not the one that was recorded: somebody moved
        or changed it.
        """
        if clip.stars is not None or clip.kept or clip.dropped or clip.moved:
            return True
        try:
            stat = clip.path.stat()
        except OSError:
            return True
        return stat.st_size != clip.size or stat.st_mtime_ns != clip.mtime_ns


def announced_name(path: Path | str = "") -> str:
    """What a clip that is about to be published is kept under, see `announced`."""
    return f"announced.{path}"


def _with_source() -> Select[tables.Clip, tables.Source]:
    return select(tables.Clip, tables.Source).join(tables.Source, tables.Source.id == tables.Clip.source_id)


def found_clip(session: Session, clip_id: int) -> tuple[tables.Clip, tables.Source]:
    row = session.execute(_with_source().where(tables.Clip.id == clip_id, tables.Clip.path.is_not(None))).first()
    if row is None:
        raise NotFoundError(f"There is no clip {clip_id} in the library; it may have been forgotten.")
    clip, source = row
    return clip, source


def _forget(session: Session, row: tables.Clip) -> None:
    if session.scalar(select(exists().where(tables.Rating.clip_id == row.id))):
        row.path = None
        session.flush()
    else:
        session.execute(delete(tables.Clip).where(tables.Clip.id == row.id))


def set_file(row: tables.Clip, file: Published) -> None:
    if row.sha256 != file.sha256:
        row.checked, row.check_note = "pending", None
    row.path = str(file.path)
    row.name = file.path.name
    row.search = file.path.name.casefold()
    row.size = file.size
    row.mtime_ns = file.mtime_ns
    row.sha256 = file.sha256


def as_clip(row: tables.Clip | Row[Any], source_url: str, source_title: str) -> Clip:
    """A row of the table, or the columns of one."""
    return Clip(
        id=row.id,
        source_id=row.source_id,
        source_url=source_url,
        source_title=source_title,
        highlight_id=row.highlight_id,
        highlight=highlight_from_json(row.highlight),
        kind=row.kind,  # type: ignore[arg-type]  # only `record_clip` writes it
        path=Path(row.path or ""),
        name=row.name,
        size=row.size,
        sha256=row.sha256,
        mtime_ns=row.mtime_ns,
        span=Span(row.start_s, row.end_s),
        cut=row.cut,  # type: ignore[arg-type]  # likewise
        score=row.score,
        stars=row.stars,
        skipped=row.skipped,
        kept=row.kept,
        model_version=row.model_version_n,
        created_at=row.created_at,
        home=Path(row.home) if row.home else Path(row.path or "").parent,
        quality=row.quality,
        dropped=row.dropped_at is not None,
        moved=row.moved_at is not None,
        missing=row.missing_at is not None,
        checked=row.checked or "pending",  # type: ignore[arg-type]  # likewise; null in rows of older versions
        check_note=row.check_note or "",
    )
