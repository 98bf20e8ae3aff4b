"""Clips: what was cut, where it lies, and pages of it."""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, exists, or_, select, tuple_
from sqlalchemy.orm import Session

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.records import Span
from kick_clip_generator.library import tables
from kick_clip_generator.library.files import canonical
from kick_clip_generator.library.records import (
    MAX_STARS,
    MIN_STARS,
    Clip,
    ClipQuery,
    ClipRecord,
    Page,
    Published,
)
from kick_clip_generator.library.store import Store, highlight_from_json, highlight_to_json, to_json

MAX_PAGE = 500

# The columns of each order (the id makes it total) and whether it falls; each has an index.
_ORDERS: dict[str, tuple[tuple[ColumnElement[Any], ...], bool]] = {
    "newest": ((tables.Clip.__table__.c.id,), True),
    "oldest": ((tables.Clip.__table__.c.id,), False),
    "score": ((tables.Clip.__table__.c.score, tables.Clip.__table__.c.id), True),
    "stars": ((tables.STARS_OR_NONE, tables.Clip.__table__.c.id), True),
    "name": ((tables.Clip.__table__.c.name, tables.Clip.__table__.c.id), False),
}


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
            session.add(row)
            session.flush()
            session.add(tables.ClipFeature(clip_id=row.id, row=to_json(record.row)))
            return row.id

    def clip(self, clip_id: int) -> Clip:
        """Raises:
        LibraryError: when there is none of that id, or it was forgotten.
        """
        with self.reading() as session:
            return as_clip(*found_clip(session, clip_id))

    def clip_at(self, path: Path) -> Clip | None:
        """The clip that was recorded at a path, None when there is none; its file may be gone (`is_precious`)."""
        with self.reading() as session:
            found = session.execute(_with_source().where(tables.Clip.path == str(canonical(path)))).first()
            return None if found is None else as_clip(*found)

    def clips(self, query: ClipQuery = ClipQuery()) -> Page[Clip]:  # noqa: B008  # frozen
        """One page of clips; the next page begins after the last clip of this one, wherever that has moved.

        Raises:
            InputError: when a value of the query is out of range.
        """
        _check(query)
        columns, falling = _ORDERS[query.sort]
        statement = _with_source().where(*_conditions(query))
        if query.after is not None:
            last = _parse_cursor(query)
            here = tuple_(*columns)
            statement = statement.where(here < last if falling else here > last)
        statement = statement.order_by(*(column.desc() if falling else column for column in columns))
        with self.reading() as session:
            found = [as_clip(row, source) for row, source in session.execute(statement.limit(query.limit + 1))]
        items = tuple(found[: query.limit])
        return Page(items, _cursor(query, items[-1]) if len(found) > query.limit else None)

    def update_clip(
        self, clip_id: int, *, kept: bool | None = None, file: Published | None = None, span: Span | None = None
    ) -> Clip:
        """Change what is given: whether the clip is kept, its file (moved or cut anew), what was cut.

        Raises:
            LibraryError: when there is no such clip, or the new path belongs to another clip.
        """
        with self.writing() as session:
            row, source = found_clip(session, clip_id)
            if kept is not None:
                row.kept = kept
            if file is not None:
                other = select(exists().where(tables.Clip.path == str(file.path), tables.Clip.id != clip_id))
                if session.scalar(other):
                    raise LibraryError(f"{file.path} belongs to another clip; choose another name.")
                set_file(row, file)
            if span is not None:
                row.start_s, row.end_s = float(span.start_s), float(span.end_s)
            session.flush()
            return as_clip(row, source)

    def forget_clip(self, clip_id: int) -> None:
        """Take a clip out of the library, not off the disk. Ratings that it got go on teaching the models.

        Raises:
            LibraryError: when there is no such clip.
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


def _with_source() -> Select[tables.Clip, tables.Source]:
    return select(tables.Clip, tables.Source).join(tables.Source, tables.Source.id == tables.Clip.source_id)


def found_clip(session: Session, clip_id: int) -> tuple[tables.Clip, tables.Source]:
    row = session.execute(_with_source().where(tables.Clip.id == clip_id, tables.Clip.path.is_not(None))).first()
    if row is None:
        raise LibraryError(f"There is no clip {clip_id} in the library; it may have been forgotten.")
    clip, source = row
    return clip, source


def _forget(session: Session, row: tables.Clip) -> None:
    if session.scalar(select(exists().where(tables.Rating.clip_id == row.id))):
        row.path = None
        session.flush()
    else:
        session.execute(delete(tables.Clip).where(tables.Clip.id == row.id))


def set_file(row: tables.Clip, file: Published) -> None:
    row.path = str(file.path)
    row.name = file.path.name
    row.search = file.path.name.casefold()
    row.size = file.size
    row.mtime_ns = file.mtime_ns
    row.sha256 = file.sha256


def _check(query: ClipQuery) -> None:
    if not 1 <= query.limit <= MAX_PAGE:
        raise InputError(f"limit={query.limit} is not valid: it should be 1 to {MAX_PAGE}.")
    if query.min_stars is not None and not MIN_STARS <= query.min_stars <= MAX_STARS:
        raise InputError(f"min_stars={query.min_stars} is not valid: it should be {MIN_STARS} to {MAX_STARS}.")
    if query.sort not in _ORDERS:
        raise InputError(f"sort={query.sort!r} is not valid: it should be one of {', '.join(_ORDERS)}.")


def _conditions(query: ClipQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [tables.Clip.path.is_not(None)]
    for word in query.text.casefold().split():
        conditions.append(
            or_(
                tables.Clip.search.contains(word, autoescape=True),
                tables.Source.search.contains(word, autoescape=True),
            )
        )
    if query.kind is not None:
        conditions.append(tables.Clip.kind == query.kind)
    if query.min_stars is not None:
        conditions.append(tables.Clip.stars >= query.min_stars)
    if query.unrated:
        conditions.append(tables.Clip.stars.is_(None))
    if query.skipped is not None:
        conditions.append(tables.Clip.skipped.is_(query.skipped))
    if query.kept is not None:
        conditions.append(tables.Clip.kept.is_(query.kept))
    if query.dropped is not None:
        conditions.append(tables.Clip.dropped_at.is_not(None) == query.dropped)
    if query.source_id is not None:
        conditions.append(tables.Clip.source_id == query.source_id)
    return [and_(*conditions)]


def _key(query: ClipQuery, clip: Clip) -> list[Any]:
    match query.sort:
        case "score":
            return [clip.score, clip.id]
        case "stars":
            return [clip.stars or 0, clip.id]
        case "name":
            return [clip.name, clip.id]
    return [clip.id]


def _cursor(query: ClipQuery, last: Clip) -> str:
    text = json.dumps([query.sort, *_key(query, last)])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_cursor(query: ClipQuery) -> tuple[Any, ...]:
    text = query.after or ""
    try:
        sort, *key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        expected = str if query.sort == "name" else int | float
        fits = sort == query.sort and isinstance(key[0], expected) and isinstance(key[-1], int)
        if fits and len(key) == len(_ORDERS[query.sort][0]):
            return tuple(key)
    except (binascii.Error, ValueError, TypeError, IndexError):
        pass
    raise InputError("This page marker does not fit the list any more; start again at the first page.")


def as_clip(row: tables.Clip, source: tables.Source) -> Clip:
    return Clip(
        id=row.id,
        source_id=row.source_id,
        source_url=source.url,
        source_title=source.title,
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
    )
