"""Brings `clips.db` to the form that this program knows, or says why that cannot be."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.engine import damaged, explained, make_engine
from kick_clip_generator.library.tables import Base

# The newest revision under `migrations/versions`. It stands here so that neither opening a database that has it nor
# making a new one imports Alembic, which takes longer than all the rest; a test compares the two.
HEAD = "0003"

# Checking reads the whole file: 0.1 s for this much.
QUICK_CHECK_BYTES = 32 * 2**20

_MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(path: Path, *, timeout_s: float) -> None:
    """Create or upgrade the database and see that it can be written.

    All steps and the note of what was done share one transaction, so a kill leaves the database as it was.

    Args:
        timeout_s: how long to wait for another program's lock.

    Raises:
        LibraryError: locked, damaged, not ours, newer than this program, or not writable.
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
            with engine.execution_options(write=True).connect() as connection:
                revision = _stored_revision(connection, path)
                if revision is None:
                    _create(connection)
                    connection.commit()
                elif revision != HEAD:
                    _upgrade(connection, path, revision)
                    connection.commit()
                else:
                    # SQLite says only at the first write that a file is read-only; leaving undoes this one.
                    connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    finally:
        engine.dispose()


def _check(connection: Connection, path: Path) -> None:
    small = path.stat().st_size <= QUICK_CHECK_BYTES
    if small and connection.scalar(text("PRAGMA quick_check(1)")) != "ok":
        raise damaged(path)


def _stored_revision(connection: Connection, path: Path) -> str | None:
    names = set(inspect(connection).get_table_names())
    if "alembic_version" in names:
        stored: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return stored
    if names:
        raise _not_ours(path)
    return None


def _not_ours(path: Path) -> LibraryError:
    return LibraryError(f"{path} is the database of another program; set DATABASE_PATH to another file.")


def _create(connection: Connection) -> None:
    """Make all tables as the models have them, and note the revision as Alembic does."""
    Base.metadata.create_all(connection)
    columns = "version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS alembic_version ({columns})"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})


def _upgrade(connection: Connection, path: Path, revision: str) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    # The config file's syntax gives % a meaning, and a folder may be called "100%".
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if revision not in known:
        if "clip_feature" not in inspect(connection).get_table_names():
            raise _not_ours(path)
        raise LibraryError(
            f"{path} was written by a newer version of this program; update the program or set DATABASE_PATH elsewhere."
        )
    command.upgrade(config, "head")
