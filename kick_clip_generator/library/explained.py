"""What a database says of itself, in one sentence for the person who must mend it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kick_clip_generator.core.errors import ClipGeneratorError, InputError, LibraryError, UnavailableError
from kick_clip_generator.library import postgres
from kick_clip_generator.library.engine import BACKUP_FOLDER


class DamagedError(LibraryError):
    """What is in the file contradicts itself."""


@contextmanager
def explained(place: Path | str) -> Iterator[None]:
    """Turns what the database says of itself into one sentence.

    Args:
        place: the file of a SQLite database, or what to call a PostgreSQL database.

    Raises:
        InputError: when a number is too large for it.
        UnavailableError: when it is locked, cannot be reached or written, or the disk is full or failing.
        DamagedError: when it is damaged.
        LibraryError: when it is no database.
    """
    try:
        yield
    except DBAPIError as error:
        raise _explain(place, error.orig) or error from error.orig
    except sqlite3.Error as error:
        raise _explain(place, error) or error from error
    except OverflowError as error:
        # SQLite's driver says so of a number of more than 64 bits.
        raise InputError("A number is too large; no id and no size is.") from error
    except PoolTimeout as error:
        raise UnavailableError(f"Too many requests are waiting for {place}; try again in a moment.") from error


def damaged(path: Path | str) -> DamagedError:
    return DamagedError(
        f"{path} is damaged; move it aside (with its -wal and -shm files) and put your newest backup in its place, for "
        f"instance from {Path(path).parent / BACKUP_FOLDER}, or start again without it."
    )


def _explain(place: Path | str, error: BaseException | None) -> ClipGeneratorError | None:
    if hasattr(error, "sqlstate"):
        return postgres.explain(str(place), error)
    # Extended codes hold the primary one in their low byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return UnavailableError(
                f"{place} is locked by another program that is writing to it; close that or try again."
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return UnavailableError(
                f"{place} cannot be written; allow writing to it and its folder, or set DATABASE_PATH elsewhere."
            )
        case sqlite3.SQLITE_CANTOPEN:
            return UnavailableError(
                f"{place} cannot be opened or its folder cannot be written; check both, or set DATABASE_PATH elsewhere."
            )
        case sqlite3.SQLITE_FULL:
            return UnavailableError(f"{place} cannot grow because the disk is full; free some space and try again.")
        case sqlite3.SQLITE_IOERR:
            return UnavailableError(
                f"{place} cannot be read or written ({error}); check the disk and the space left on it."
            )
        case sqlite3.SQLITE_NOTADB:
            return LibraryError(f"{place} is not a SQLite database; move it away or set DATABASE_PATH to another file.")
        case sqlite3.SQLITE_CORRUPT:
            return damaged(place)
    return None
