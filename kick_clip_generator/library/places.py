"""Where a clip's file lies and what that says: `keep/` and `drop/` are labels, and new ends are a new file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import exists, select, update

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.records import Span
from kick_clip_generator.library import tables
from kick_clip_generator.library.clips import as_clip, found_clip, set_file
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.records import Clip, FileNote, Label, NewEnds, Published
from kick_clip_generator.library.store import Store

# What a label that was taken back is called among the ratings.
NO_LABEL = "none"


def folder_of(home: Path, label: Label | None) -> Path:
    """Where the clips with a label lie; those without lie in the home itself."""
    return home / label if label else home


def label_at(path: Path, home: Path) -> Label | None:
    """What a place says of a clip. A stream may be called "drop": only a folder of that name in the home is a label."""
    if path.parent == home / "keep":
        return "keep"
    return "drop" if path.parent == home / "drop" else None


class PlaceStore(Store):
    """Rows that follow their files."""

    def file_notes(self) -> list[FileNote]:
        """What to look for on the disk, of every clip that was not forgotten."""
        row = tables.Clip
        columns = (row.id, row.path, row.home, row.size, row.mtime_ns, row.sha256, row.kept, row.dropped_at)
        statement = select(*columns, row.announced, row.missing_at).where(row.path.is_not(None)).order_by(row.id)
        with self.reading() as session:
            found = session.execute(statement)
            return [
                FileNote(
                    id=clip_id,
                    path=Path(path),
                    home=Path(home) if home else Path(path).parent,
                    size=size,
                    mtime_ns=mtime_ns,
                    sha256=sha256,
                    label="drop" if dropped_at is not None else "keep" if kept else None,
                    dropped_at=dropped_at,
                    announced=_ends_from_json(announced, Path(path)),
                    missing=missing_at is not None,
                )
                for clip_id, path, home, size, mtime_ns, sha256, kept, dropped_at, announced, missing_at in found
            ]

    def set_missing(self, missing: Collection[int], found: Collection[int]) -> None:
        """Flag clips whose file is gone, and take the flag from those whose file is there again."""
        with self.writing() as session:
            for ids, at in ((missing, database_now()), (found, None)):
                for some in batched(sorted(ids)):
                    statement = update(tables.Clip).where(tables.Clip.id.in_(some)).values(missing_at=at)
                    session.execute(statement.execution_options(synchronize_session=False))

    def place_clip(self, clip_id: int, file: Published, home: Path, label: Label | None) -> Clip:
        """Note where a clip lies now. A label that is new is added to the ratings, one that it had is not.

        Raises:
            LibraryError: when there is no such clip, or the path belongs to another clip.
        """
        with self.writing() as session:
            row, source = found_clip(session, clip_id)
            other = select(exists().where(tables.Clip.path == str(file.path), tables.Clip.id != clip_id))
            if session.scalar(other):
                raise LibraryError(f"{file.path} belongs to another clip; choose another name.")
            before = "drop" if row.dropped_at is not None else "keep" if row.kept else None
            set_file(row, file)
            row.home = str(home)
            if label != before:
                row.kept = label == "keep"
                row.dropped_at = session.scalar(select(database_now())) if label == "drop" else None
                session.add(
                    tables.Rating(clip_id=clip_id, label=label or NO_LABEL, model_version_n=row.model_version_n)
                )
            session.flush()
            return as_clip(row, source.url, source.title)

    def announce_ends(self, clip_id: int, ends: NewEnds) -> None:
        """Say which file is about to take a clip's place, so that a scan can finish what a kill interrupts.

        Raises:
            LibraryError: when there is no such clip.
        """
        with self.writing() as session:
            row, _ = found_clip(session, clip_id)
            row.announced = _ends_to_json(ends)

    def finish_ends(self, clip_id: int, ends: NewEnds) -> Clip:
        """Note the new ends of a clip whose file has been published.

        Raises:
            LibraryError: when there is no such clip, or its file is another one by now.
        """
        with self.writing() as session:
            row, source = found_clip(session, clip_id)
            # The write lock is held: of two programs that move one clip, the one whose file lies there wins.
            try:
                stat = ends.file.path.stat()
                same = (stat.st_size, stat.st_mtime_ns) == (ends.file.size, ends.file.mtime_ns)
            except OSError:
                same = False
            if not same:
                raise LibraryError(
                    f"Clip {clip_id} was changed by another program at the same time; look at it and try again."
                )
            set_file(row, ends.file)
            row.start_s, row.end_s, row.cut = float(ends.span.start_s), float(ends.span.end_s), ends.cut
            row.checked, row.check_note = "pending", ends.check_note or None
            if ends.by_hand:
                row.moved_at = session.scalar(select(database_now()))
            row.announced = None
            session.flush()
            return as_clip(row, source.url, source.title)


def batched(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many at a time as every database takes in one statement."""
    for begin in range(0, len(ids), 500):
        yield ids[begin : begin + 500]


def _ends_to_json(ends: NewEnds) -> dict[str, Any]:
    return {
        "size": ends.file.size,
        "sha256": ends.file.sha256,
        "start_s": float(ends.span.start_s),
        "end_s": float(ends.span.end_s),
        "cut": ends.cut,
        "check_note": ends.check_note,
        "by_hand": ends.by_hand,
    }


def _ends_from_json(stored: dict[str, Any] | None, path: Path) -> NewEnds | None:
    """The time of change is not known before the file has its name; a scan reads it from the file."""
    if stored is None:
        return None
    file = Published(path, stored["size"], stored["sha256"], 0)
    return NewEnds(
        file,
        Span(stored["start_s"], stored["end_s"]),
        stored["cut"],
        # Versions before the third knew neither.
        stored.get("check_note", ""),
        stored.get("by_hand", True),
    )
