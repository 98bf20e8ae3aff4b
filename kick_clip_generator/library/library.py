"""The library: one open database, `clips.db` or PostgreSQL."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Engine, delete

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library import tables
from kick_clip_generator.library.access import AccessStore
from kick_clip_generator.library.announced import AnnouncedStore
from kick_clip_generator.library.backups import (
    KEPT,
    copy_file,
    copy_sqlite,
    is_sound,
    make_folder,
    new_backup,
    overwrite_sqlite,
    prune_backups,
    recover,
)
from kick_clip_generator.library.compounds import CompoundStore
from kick_clip_generator.library.engine import BACKUP_FOLDER, make_engine
from kick_clip_generator.library.explained import DamagedError, explained
from kick_clip_generator.library.files import canonical, part_file, publish, safe_name, sweep_parts
from kick_clip_generator.library.jobs import JobStore
from kick_clip_generator.library.kept import KeptStore
from kick_clip_generator.library.migrate import HEAD, prepare, prepare_postgres
from kick_clip_generator.library.places import PlaceStore
from kick_clip_generator.library.postgres import make_postgres_engine, parse_url, shown_name
from kick_clip_generator.library.presets import PresetStore
from kick_clip_generator.library.projects import ProjectStore
from kick_clip_generator.library.ratings import RatingStore
from kick_clip_generator.library.records import Published
from kick_clip_generator.library.sources import SourceStore
from kick_clip_generator.library.stats import StatsStore
from kick_clip_generator.library.transcripts import TranscriptStore
from kick_clip_generator.library.transfer import copy_rows, empty_tables
from kick_clip_generator.library.usage import UsageStore

# A healthy writer holds the lock for milliseconds, on a busy disk for a second or two; a program that holds it this
# long will not let go soon.
OPEN_TIMEOUT_S = 10.0


class Library(
    SourceStore,
    JobStore,
    AnnouncedStore,
    PlaceStore,
    RatingStore,
    ProjectStore,
    CompoundStore,
    TranscriptStore,
    PresetStore,
    KeptStore,
    AccessStore,
    StatsStore,
    UsageStore,
):
    """All that is remembered. Safe to use from several threads; a context manager.

    Attributes:
        backup_folder: where backups go unless somebody says otherwise.
        notes: sentences for the user: what had to be done to open it.

    >>> with Library.open(settings.library_place) as library:
    ...     source_id = library.record_source(source)
    """

    def __init__(self, engine: Engine, path: Path | None, name: str = "", *, backup_folder: Path | None = None) -> None:
        super().__init__(engine, path, name)
        self.backup_folder = backup_folder or (path.parent if path else Path()) / BACKUP_FOLDER
        self.notes: list[str] = []

    @classmethod
    def open(
        cls, place: Path | str, *, timeout_s: float = OPEN_TIMEOUT_S, backup_folder: Path | None = None
    ) -> Library:
        """Open the database, making or upgrading it when needed.

        A SQLite file is backed up before it is upgraded. One that is damaged is moved aside, and the newest good backup
        put in its place; `notes` says so.

        Args:
            place: the file of a SQLite database, or the URL of a PostgreSQL one.
            timeout_s: how long to wait for another program that is writing.
            backup_folder: default: `backups` beside the file, or in the working folder for PostgreSQL.

        Raises:
            InputError: when it is a URL that the library cannot use.
            UnavailableError: locked, out of reach, or not writable.
            LibraryError: damaged without a backup, no database, of another program, or newer than this one.
        """
        if isinstance(place, str) and "://" in place:
            return cls._open_postgres(parse_url(place), backup_folder)
        path = canonical(Path(place))
        folder = backup_folder or path.parent / BACKUP_FOLDER
        notes = []

        def before_upgrade(engine: Engine, revision: str) -> None:
            _copy(engine, new_backup(folder, path.stem, f".before-{HEAD}"))
            prune_backups(folder, path.stem, keep=KEPT)

        try:
            prepare(path, timeout_s=timeout_s, before_upgrade=before_upgrade)
        except DamagedError as error:
            notes = [note for note in [recover(path, folder, is_damaged=error)] if note]
            prepare(path, timeout_s=timeout_s, before_upgrade=before_upgrade)
        library = cls(make_engine(path), path, backup_folder=folder)
        library.notes = notes
        return library

    @classmethod
    def _open_postgres(cls, url: URL, backup_folder: Path | None) -> Library:
        engine = make_postgres_engine(url)
        name = shown_name(url)
        try:
            prepare_postgres(engine, name)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, None, name, backup_folder=backup_folder)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stem(self) -> str:
        """How the names of its backups begin."""
        return self.path.stem if self.path is not None else safe_name(self._engine.url.database or "clips")

    def backup(self, target: Path) -> Published:
        """Write a SQLite file with all that is in the library at this moment, while others go on working.

        Raises:
            LibraryError: when the target exists or cannot be written.
        """
        make_folder(target.parent)
        if self.path is not None:
            with explained(self.path):
                return _copy(self._engine, target)
        with part_file(target) as part:
            with Library.open(part) as copy, self.reading() as session, copy.writing() as other:
                copy_rows(session.connection(), other.connection())
            _into_one_file(part)
            return publish(part, target)

    def daily_backup(self, *, keep: int = KEPT) -> Published:
        """Write a backup into the backup folder, and delete the oldest of those that the program made.

        Raises:
            LibraryError: when the folder cannot be written, or what was written is not sound.
        """
        sweep_parts(self.backup_folder)
        published = self.backup(new_backup(self.backup_folder, self.stem))
        if keep:
            prune_backups(self.backup_folder, self.stem, keep=keep)
        return published

    def restore(self, backup: Path) -> Path:
        """Put what is in a backup in the place of all that is in the library, in one transaction.

        Returns:
            a backup of what was there before.

        Raises:
            LibraryError: when the backup is not sound, or newer than this program; then nothing is changed.
        """
        if not is_sound(backup):
            raise LibraryError(f"{backup} is no sound copy of a library; choose another one.")
        make_folder(self.backup_folder)
        with tempfile.TemporaryDirectory(prefix="restore-", dir=self.backup_folder) as folder:
            copied = Path(folder, "copy.db")
            copy_file(backup, copied)
            with Library.open(copied) as old:
                # Who has logged out since must not be let in again.
                with old.writing() as session:
                    session.execute(delete(tables.LoginSession))
                before = self.backup(new_backup(self.backup_folder, self.stem)).path
                if self.path is not None:
                    with explained(self.path):
                        overwrite_sqlite(copied, self.path)
                else:
                    with old.reading() as session, self.writing() as other:
                        empty_tables(other.connection())
                        copy_rows(session.connection(), other.connection())
        return before


def _copy(engine: Engine, target: Path) -> Published:
    # Not inside a transaction, which SQLAlchemy would begin.
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.execute("PRAGMA query_only=OFF")
        return copy_sqlite(raw, target)


def _into_one_file(path: Path) -> None:
    """Fold what lies in the -wal file into a database that nobody has open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
