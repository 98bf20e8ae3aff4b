"""What was said in a source, line by line, and searching all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, select, text

from kick_clip_generator.library import tables
from kick_clip_generator.library.full_text import TSVECTOR, fts5_query, tsquery, words_of
from kick_clip_generator.library.pages import check_limit, make_marker, read_marker
from kick_clip_generator.library.records import Page
from kick_clip_generator.library.store import Store, to_json

# PostgreSQL's ids have 32 bits.
MAX_ID = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Line:
    """What one speaker says in one go.

    Attributes:
        start_s, end_s: stream time.
        speaker: None when not known.
        words: of each word "text", "start_s", "end_s" and "confidence".
    """

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    words: tuple[dict[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line that a search found, and where."""

    id: int
    source_id: int
    source_title: str
    source_url: str
    line: Line


class TranscriptStore(Store):
    """Lines by source and time."""

    def replace_transcript(self, source_id: int, start_s: float, end_s: float, lines: Sequence[Line]) -> None:
        """Put lines in the place of those that begin in `[start_s, end_s)` of a source."""
        row = tables.Transcript
        with self.writing() as session:
            here = (row.source_id == source_id, row.start_s >= float(start_s), row.start_s < float(end_s))
            session.execute(delete(row).where(*here).execution_options(synchronize_session=False))
            session.add_all(
                row(
                    source_id=source_id,
                    start_s=float(line.start_s),
                    end_s=float(line.end_s),
                    text=line.text,
                    speaker=line.speaker,
                    words=to_json(list(line.words)),
                )
                for line in lines
            )

    def transcript(self, source_id: int, start_s: float | None = None, end_s: float | None = None) -> list[Line]:
        """The lines that touch `[start_s, end_s)` of a source, in order; None for an open end."""
        row = tables.Transcript
        conditions: list[ColumnElement[bool]] = [row.source_id == source_id]
        if start_s is not None:
            conditions.append(row.end_s > float(start_s))
        if end_s is not None:
            conditions.append(row.start_s < float(end_s))
        with self.reading() as session:
            found = session.scalars(select(row).where(*conditions).order_by(row.start_s, row.id))
            return [_line(line) for line in found]

    def search_transcripts(
        self, query: str, *, source_id: int | None = None, after: str | None = None, limit: int = 50
    ) -> Page[FoundLine]:
        """The lines with all of the words, the newest first; the last word may be half typed.

        Args:
            query: what somebody typed; whatever is neither letter nor digit only separates words.

        Raises:
            InputError: when `limit` or `after` is not valid.
        """
        check_limit(limit)
        words = words_of(query)
        if not words:
            return Page(())
        row = tables.Transcript
        before = read_marker(after, "transcripts", (int,))[0] if after is not None else MAX_ID
        conditions = [row.id < before]
        if source_id is not None:
            conditions.append(row.source_id == source_id)
        with self.reading() as session:
            if session.get_bind().dialect.name == "sqlite":
                conditions.append(_in_fts5(words, before, limit + 1 if source_id is None else -1))
            else:
                conditions.append(_in_tsvector(words))
            found = session.execute(
                select(row, tables.Source.title, tables.Source.url)
                .join(tables.Source, tables.Source.id == row.source_id)
                .where(*conditions)
                .order_by(row.id.desc())
                .limit(limit + 1)
            ).all()
        items = tuple(FoundLine(line.id, line.source_id, title, url, _line(line)) for line, title, url in found[:limit])
        return Page(items, make_marker("transcripts", [items[-1].id]) if len(found) > limit else None)


def _in_fts5(words: Sequence[str], before: int, limit: int) -> ColumnElement[bool]:
    """The newest lines that match; -1 for all of them. Without a limit a common word took 50 ms in 200,000 lines."""
    newest = "MATCH :words AND rowid < :before ORDER BY rowid DESC LIMIT :newest"
    statement = text(f"transcript.id IN (SELECT rowid FROM transcript_text WHERE transcript_text {newest})")
    return and_(statement.bindparams(words=fts5_query(words), before=before, newest=limit))


def _in_tsvector(words: Sequence[str]) -> ColumnElement[bool]:
    # Colons have a meaning in text().
    vector = TSVECTOR.replace(":", "\\:").replace("lower(text", "lower(transcript.text")
    return and_(text(f"{vector} @@ to_tsquery('simple', :words)").bindparams(words=tsquery(words)))


def _line(row: tables.Transcript) -> Line:
    return Line(row.start_s, row.end_s, row.text, row.speaker, tuple(row.words))
