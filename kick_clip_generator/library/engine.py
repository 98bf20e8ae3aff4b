"""How the library connects: the settings of a SQLite connection, its clock, and its errors in words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Double, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from kick_clip_generator.core.errors import LibraryError

# Four writers were measured to wait well under a second for each other; a lock this long is another program's.
BUSY_TIMEOUT_S = 30.0
BACKUP_FOLDER = "backups"


class database_now(FunctionElement[float]):
    """UNIX seconds by the database's clock: leases are compared across machines, whose own clocks differ."""

    type = Double()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42; this has the same millisecond.
    return "((julianday('now') - 2440587.5) * 86400.0)"


def make_engine(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """An engine on a SQLite file, whose transactions are of two kinds.

    By default they read: they never take the write lock, and a write in one fails. With the execution option `write`
    they begin with BEGIN IMMEDIATE, because a transaction that reads first and asks for the lock later cannot wait for
    it (measured: 900 of 1,200 such writes were "locked", of immediate ones none).
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": busy_timeout_s},
        # A NaN would be stored as a word that is no JSON.
        json_serializer=partial(json.dumps, allow_nan=False),
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        # The driver must not begin transactions by itself; `_begin` does.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={round(busy_timeout_s * 1000)}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what SQLite says about the file into one sentence.

    Raises:
        LibraryError: when the file is locked, damaged, no database, read-only, or the disk is full or failing.
    """
    try:
        yield
    except DBAPIError as error:
        raise _explain(path, error.orig) or error from error.orig
    except sqlite3.Error as error:
        raise _explain(path, error) or error from error


def damaged(path: Path) -> LibraryError:
    return LibraryError(
        f"{path} is damaged; move it aside (with its -wal and -shm files) and put your newest backup in its place, for "
        f"instance from {path.parent / BACKUP_FOLDER}, or start again without it."
    )


def _explain(path: Path, error: BaseException | None) -> LibraryError | None:
    # Extended codes hold the primary one in their low byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LibraryError(f"{path} is locked by another program that is writing to it; close that or try again.")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return LibraryError(
                f"{path} cannot be written; allow writing to it and its folder, or set DATABASE_PATH elsewhere."
            )
        case sqlite3.SQLITE_CANTOPEN:
            return LibraryError(
                f"{path} cannot be opened or its folder cannot be written; check both, or set DATABASE_PATH elsewhere."
            )
        case sqlite3.SQLITE_FULL:
            return LibraryError(f"{path} cannot grow because the disk is full; free some space and try again.")
        case sqlite3.SQLITE_IOERR:
            return LibraryError(f"{path} cannot be read or written ({error}); check the disk and the space left on it.")
        case sqlite3.SQLITE_NOTADB:
            return LibraryError(f"{path} is not a SQLite database; move it away or set DATABASE_PATH to another file.")
        case sqlite3.SQLITE_CORRUPT:
            return damaged(path)
    return None
