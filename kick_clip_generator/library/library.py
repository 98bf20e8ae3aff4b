"""The library: one open `clips.db`."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.clips import ClipStore
from kick_clip_generator.library.engine import BACKUP_FOLDER, explained, make_engine
from kick_clip_generator.library.files import canonical, part_file, publish
from kick_clip_generator.library.jobs import JobStore
from kick_clip_generator.library.migrate import prepare
from kick_clip_generator.library.places import PlaceStore
from kick_clip_generator.library.ratings import RatingStore
from kick_clip_generator.library.records import Published
from kick_clip_generator.library.sources import SourceStore

# A healthy writer holds the lock for milliseconds, on a busy disk for a second or two; a program that holds it this
# long will not let go soon.
OPEN_TIMEOUT_S = 10.0


class Library(SourceStore, JobStore, ClipStore, PlaceStore, RatingStore):
    """Sources, jobs, highlights, clips, ratings and models. Safe to use from several threads; a context manager.

    >>> with Library.open(settings.database_path) as library:
    ...     source_id = library.record_source(source)
    """

    @classmethod
    def open(cls, path: Path, *, timeout_s: float = OPEN_TIMEOUT_S) -> Library:
        """Open the database, making or upgrading it when needed.

        Args:
            timeout_s: how long to wait for another program that is writing.

        Raises:
            LibraryError: locked, damaged, no database, of another program, newer than this one, or not writable.
        """
        path = canonical(path)
        prepare(path, timeout_s=timeout_s)
        return cls(make_engine(path), path)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def backup_folder(self) -> Path:
        """Where backups go unless somebody says otherwise."""
        return self.path.parent / BACKUP_FOLDER

    def backup(self, target: Path) -> Published:
        """Write a copy of this moment that is whole and can be opened, while others go on working.

        A plain copy of the file would miss what still lies in the -wal file.

        Raises:
            LibraryError: when the target exists or cannot be written.
        """
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"The folder {target.parent} cannot be made ({error.strerror}); choose another one."
            ) from error
        with part_file(target) as part:
            # Not inside a transaction, which SQLAlchemy would begin.
            with explained(part), self._engine.connect() as connection:
                cursor = connection.connection.cursor()
                cursor.execute("PRAGMA query_only=OFF")
                cursor.execute("VACUUM INTO ?", (os.fspath(part),))
                cursor.close()
            return publish(part, target)
