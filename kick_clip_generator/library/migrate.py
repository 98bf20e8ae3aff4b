"""Brings the database to the form that this program knows, or says why that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.engine import make_engine
from kick_clip_generator.library.explained import damaged, explained
from kick_clip_generator.library.tables import Base

# The newest revision under `migrations/versions`. It stands here so that neither opening a database that has it nor
# making a new one imports Alembic, which takes longer than all the rest; a test compares the two.
HEAD = "0004"

# Checking reads the whole file: 0.1 s for this much.
QUICK_CHECK_BYTES = 32 * 2**20

_MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(path: Path, *, timeout_s: float, before_upgrade: Callable[[Engine, str], None]) -> None:
    """Create or upgrade a SQLite database and see that it can be written.

    All steps and the note of what was done share one transaction, so a kill leaves the database as it was.

    Args:
        timeout_s: how long to wait for another program's lock.
        before_upgrade: called with the revision that is there, before anything is changed.

    Raises:
        UnavailableError: locked or not writable.
        LibraryError: damaged, not ours, or newer than this program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"The folder {path.parent} cannot be made ({error.strerror}); set DATABASE_PATH elsewhere."
        ) from error
    engine = make_engine(path, busy_timeout_s=timeout_s)
    try:
        with explained(path):
            with engine.begin() as connection:
                _check(connection, path)
                revision = _stored_revision(connection, str(path))
            if revision is not None and revision != HEAD:
                with engine.begin() as connection:
                    _check_known(connection, str(path), revision)
                before_upgrade(engine, revision)
            with engine.execution_options(write=True).connect() as connection:
                if not _bring_up_to_date(connection, str(path)):
                    # SQLite says only at the first write that a file is read-only; leaving undoes this one.
                    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    finally:
        engine.dispose()


def prepare_postgres(engine: Engine, name: str) -> None:
    """Create or upgrade the tables in a PostgreSQL database, in one transaction that no other writer can enter.

    Raises:
        UnavailableError: out of reach, or not writable.
        LibraryError: not ours, newer than this program, or it does not let us in.
    """
    with explained(name), engine.execution_options(write=True).connect() as connection:
        _bring_up_to_date(connection, name)


def _bring_up_to_date(connection: Connection, place: str) -> bool:
    """Whether there was anything to do."""
    revision = _stored_revision(connection, place)
    if revision == HEAD:
        return False
    if revision is None:
        _create(connection)
    else:
        _check_known(connection, place, revision)
        _upgrade(connection)
    connection.commit()
    return True


def _check(connection: Connection, path: Path) -> None:
    small = path.stat().st_size <= QUICK_CHECK_BYTES
    if small and connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
        raise damaged(path)


def _stored_revision(connection: Connection, place: str) -> str | None:
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        stored: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return stored
    if names:
        raise _not_ours(place)
    return None


def _not_ours(place: str) -> LibraryError:
    return LibraryError(
        f"{place[:1].upper()}{place[1:]} is the database of another program; set DATABASE_PATH (or DATABASE_URL) to "
        "another one."
    )


def _create(connection: Connection) -> None:
    """Make all tables as the models have them, and note the revision as Alembic does."""
    Base.metadata.create_all(connection)
    columns = "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS alembic_version ({columns})"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _check_known(connection: Connection, place: str, revision: str) -> None:
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if revision in known:
        return
    if "clip_feature" not in inspect(connection).get_table_names():
        raise _not_ours(place)
    raise LibraryError(
        f"{place[:1].upper()}{place[1:]} was written by a newer version of this program; update the program or set "
        "DATABASE_PATH (or DATABASE_URL) elsewhere."
    )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    # The config file's syntax gives % a meaning, and a folder may be called "100%".
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
