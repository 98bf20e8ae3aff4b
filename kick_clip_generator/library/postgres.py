"""PostgreSQL as the library's database: its connections, its one write lock, and its errors in words.

The stores are written for SQLite's promise that a writing session is alone. Here an advisory lock gives the same
promise, so one code is right on both: no deadlock and no serialization error can happen between two writers, and "look,
then insert" needs no second try. A writer holds it for about a millisecond, see
docs/decisions/0024-one-library-two-databases.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from kick_clip_generator.core.errors import ClipGeneratorError, InputError, LibraryError, UnavailableError
from kick_clip_generator.library.engine import POOL_OVERFLOW, POOL_SIZE, dump_json

if TYPE_CHECKING:
    from collections.abc import Callable

# "clip" in ASCII: the advisory lock of writers.
WRITE_LOCK = 0x636C6970

# Longer than any write; who waits this long waits for a program that hangs.
LOCK_TIMEOUT_S = 30.0
# A writer that was cut off must not hold the lock: the server notices a silent one after this long.
SILENT_S = 60.0
# PostgreSQL was measured to restart in 1–2 s after a crash, with a large log to replay in some more.
RECONNECT_S = 10.0

_PAUSE_S = 0.2


def parse_url(url: str) -> URL:
    """A URL as DATABASE_URL has it; `postgres://` and `postgresql://` mean psycopg, too.

    Raises:
        InputError: when it is none, or of another database.
    """
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise InputError(
            "DATABASE_URL is not a URL; it should read like postgresql+psycopg://user:password@host:5432/clips."
        ) from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "postgresql+psycopg":
        raise InputError(
            f"DATABASE_URL names {parsed.drivername!r}, which the library cannot use; it takes postgresql+psycopg://… "
            "(leave it empty for the file of DATABASE_PATH)."
        )
    return parsed


def shown_name(url: URL) -> str:
    """What to call the database in a sentence; without user and password."""
    host = f" on {url.host}{f':{url.port}' if url.port else ''}" if url.host else ""
    return f"the PostgreSQL database {url.database or ''!r}{host}"


def make_postgres_engine(url: URL, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> Engine:
    """An engine whose transactions are of two kinds, as `engine.make_engine` has them for SQLite.

    By default they read one moment of the database, and a write in one fails. With the execution option `write` they
    begin by taking the write lock.

    Raises:
        InputError: when psycopg is not installed.
    """
    settings = {
        "lock_timeout": round(lock_timeout_s * 1000),
        "idle_in_transaction_session_timeout": round(SILENT_S * 1000),
        "default_text_search_config": "pg_catalog.simple",
    }
    try:
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": 10,
                "keepalives_idle": 20,
                "keepalives_interval": 10,
                "keepalives_count": 3,
                "application_name": "kick-clip-generator",
                "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
            },
            json_serializer=dump_json,
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise InputError(
            "DATABASE_URL needs psycopg, which is not installed: pip install 'kick-clip-generator[postgres]'."
        ) from error

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("write", False):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    return engine


def patiently(begin: Callable[[], None]) -> None:
    """Begin a transaction; while a PostgreSQL that was restarted does not answer yet, try again for `RECONNECT_S`."""
    end = time.monotonic() + RECONNECT_S
    while True:
        try:
            return begin()
        except DBAPIError as error:
            if not _is_away(error.orig) or time.monotonic() > end:
                raise
        time.sleep(_PAUSE_S)


def explain(name: str, error: BaseException | None) -> ClipGeneratorError | None:
    """What psycopg said, in one sentence; None when it is a bug."""
    state = getattr(error, "sqlstate", None) or ""
    said = " ".join(str(error).split())
    if _is_refused(error):
        return LibraryError(f"{_capital(name)} does not let us in ({said}); check DATABASE_URL.")
    if _is_away(error):
        return UnavailableError(f"{_capital(name)} cannot be reached ({said}); see that it runs and try again.")
    if state in ("55P03", "40001", "40P01", "57014"):
        return UnavailableError(f"{_capital(name)} is locked by another program that is writing to it; try again.")
    if state in ("53100", "53200", "53300", "53400"):
        return UnavailableError(f"{_capital(name)} has no room left ({said}); free some and try again.")
    if state in ("25006", "42501"):
        return UnavailableError(f"{_capital(name)} cannot be written ({said}); give its user the rights to.")
    if state == "22003":
        return InputError("A number is too large; no id and no size is.")
    if state[:2] in ("58", "XX"):
        return UnavailableError(f"{_capital(name)} failed ({said}); look at its log.")
    return None


def _is_refused(error: BaseException | None) -> bool:
    """A wrong password, user or database; psycopg tells these in words alone."""
    state = getattr(error, "sqlstate", None) or ""
    if state:
        return state[:2] in ("28", "3D")
    said = str(error)
    return any(words in said for words in ("authentication failed", "does not exist", "no password supplied"))


def _is_away(error: BaseException | None) -> bool:
    """Stopped, starting, out of reach, or gone in the middle."""
    if error is None or not hasattr(error, "sqlstate") or _is_refused(error):
        return False
    state = getattr(error, "sqlstate", None)
    if state:
        return bool(state[:2] == "08" or state in ("57P01", "57P02", "57P03", "57P05", "25P03"))
    return type(error).__name__ == "OperationalError"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
