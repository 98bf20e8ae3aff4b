"""Opening `clips.db`: new, up to date, not ours, broken, locked; and its backups."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import get_args

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from library_facts import a_source
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library import migrate, tables
from kick_clip_generator.library.engine import make_engine
from kick_clip_generator.library.files import check_writable
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipQuery, ClipSort


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_a_new_database_has_the_tables_of_the_models(tmp_path: Path) -> None:
    path = tmp_path / "new" / "clips.db"
    Library.open(path).close()
    engine = make_engine(path)
    with engine.connect() as connection:
        # Full-text search and the indexes of lists are SQL of their own.
        named = lambda name, kind, parents: not str(name).startswith(("transcript_text", "ix_clip_list"))  # noqa: E731
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": named})
        assert compare_metadata(context, tables.Base.metadata) == []
    engine.dispose()


def test_a_new_database_is_what_all_revisions_make(tmp_path: Path) -> None:
    made, grown = tmp_path / "made.db", tmp_path / "grown.db"
    Library.open(made).close()
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS).replace("%", "%%"))
    engine = make_engine(grown)
    with engine.execution_options(write=True).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    engine.dispose()
    assert _form(made) == _form(grown)
    for path in (made, grown):
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("SELECT version_num FROM alembic_version").fetchall() == [(migrate.HEAD,)]


@pytest.mark.parametrize("sort", get_args(ClipSort))
def test_a_page_is_read_from_an_index_without_sorting(tmp_path: Path, sort: ClipSort) -> None:
    statements: list[tuple[str, tuple[object, ...]]] = []
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        event.listen(library._engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
        library.clips(ClipQuery(sort=sort))
    (statement, values) = next(entry for entry in statements if entry[0].startswith("SELECT"))
    with closing(sqlite3.connect(path)) as other:
        plan = str(other.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
    assert "SCAN clip USING INDEX ix_clip_list_" in plan or "SCAN clip USING COVERING INDEX ix_clip_list_" in plan
    # The rows of the page itself are put in order again.
    assert plan.count("TEMP B-TREE") == 1


def test_the_head_constant_is_the_newest_revision() -> None:
    assert ScriptDirectory(str(migrate._MIGRATIONS)).get_heads() == [migrate.HEAD]


def test_a_new_or_up_to_date_database_opens_without_alembic(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        source_id = library.record_source(a_source())
    new = tmp_path / "new.db"
    code = (
        "import sys; from pathlib import Path; from kick_clip_generator.library.library import Library;"
        f"Library.open(Path({str(new)!r})).close();"
        f"print(Library.open(Path({str(path)!r})).source({source_id}).title, 'alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_environment(), check=True)
    assert done.stdout.split() == ["A", "stream", "False"]


def test_a_folder_name_with_a_percent_sign(tmp_path: Path) -> None:
    with Library.open(tmp_path / "100% #1?" / "clips.db") as library:
        assert library.sources() == []
    assert (tmp_path / "100% #1?" / "clips.db").is_file()


def test_the_settings_of_a_connection(tmp_path: Path) -> None:
    with Library.open(tmp_path / "clips.db") as library, library.reading() as session:
        pragmas = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
        values = [session.scalar(text(f"PRAGMA {name}")) for name in pragmas]
    assert values == ["wal", 2, 30000, 1]


def test_a_reading_session_cannot_write_and_needs_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library, _locked(path):
        assert library.sources() == []
        with library.reading() as session, pytest.raises(OperationalError, match="readonly"):
            try:
                session.execute(text("DELETE FROM source"))
            except OperationalError as error:
                session.rollback()
                raise error


def test_a_failed_writing_session_leaves_nothing(tmp_path: Path) -> None:
    with Library.open(tmp_path / "clips.db") as library:
        with pytest.raises(RuntimeError), library.writing() as session:
            session.add(tables.Job(kind="analyze", status="queued", payload={}, idem_key="k"))
            session.flush()
            raise RuntimeError
        assert library.jobs().items == ()


def test_locked(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    Library.open(path).close()
    with _locked(path), pytest.raises(LibraryError, match="locked by another program"):
        Library.open(path, timeout_s=0.1)
    Library.open(path, timeout_s=0.1).close()


def test_newer_than_the_program(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    Library.open(path).close()
    _execute(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="newer version of this program"):
        Library.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (x)", "CREATE TABLE alembic_version (version_num)"])
def test_the_database_of_another_program(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "clips.db"
    _execute(path, statement)
    if "alembic" in statement:
        _execute(path, "INSERT INTO alembic_version VALUES ('abc')")
    with pytest.raises(LibraryError, match="another program"):
        Library.open(path)


def test_a_text_file_is_no_database_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(LibraryError, match="not a SQLite database"):
        Library.open(path)
    assert path.read_text().startswith("Dear diary, ")


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "clips.db").mkdir()
    with pytest.raises(LibraryError, match="cannot be opened"):
        Library.open(tmp_path / "clips.db")


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(LibraryError, match="cannot be made"):
        Library.open(tmp_path / "data" / "clips.db")


def test_a_damaged_database_names_the_backups(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        for number in range(200):
            library.record_source(a_source(f"https://example.com/{number}", "x" * 500))
    content = bytearray(path.read_bytes())
    for page in range(8192, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(LibraryError, match=r"damaged.*backup"):
        Library.open(path)


def test_a_read_only_folder(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o555)
    with _as_ordinary_user(), pytest.raises(LibraryError, match="cannot be opened or its folder cannot be written"):
        Library.open(ordinary_folder / "clips.db")


def test_a_read_only_output_folder(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o555)
    with _as_ordinary_user(), pytest.raises(LibraryError, match="read-only"):
        check_writable(ordinary_folder)


def test_a_read_only_database(ordinary_folder: Path) -> None:
    path = ordinary_folder / "clips.db"
    Library.open(path).close()
    path.chmod(0o444)
    with _as_ordinary_user(), pytest.raises(LibraryError, match="cannot be written"):
        Library.open(path)


def test_a_full_disk(tmp_path: Path) -> None:
    with Library.open(tmp_path / "clips.db") as library:
        with library.reading() as session:
            pages = session.scalar(text("PRAGMA page_count")) or 0
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
        with pytest.raises(LibraryError, match="disk is full"):
            library.record_source(a_source(title="x" * 100_000))
        assert library.sources() == []


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    with Library.open(tmp_path / "clips.db") as library:
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
        try:
            with pytest.raises(LibraryError, match="check the disk"):
                library.record_source(a_source(title="x" * 400_000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert library.sources() == []


def test_a_backup_is_whole_while_others_write(tmp_path: Path) -> None:
    with Library.open(tmp_path / "clips.db") as library:
        library.record_source(a_source(title="before"))
        with library.writing() as session:
            session.execute(text("UPDATE source SET title = 'not yet'"))
            target = library.backup_folder / "monday.db"
            published = library.backup(target)
        assert published.path == target
        assert list(target.parent.iterdir()) == [target]
        with pytest.raises(LibraryError, match="not overwritten"):
            library.backup(target)
        assert list(target.parent.iterdir()) == [target]
        library.record_source(a_source(title="after"))
    with Library.open(target) as copy:
        assert [source.title for source in copy.sources()] == ["before"]


@pytest.fixture
def ordinary_folder() -> Iterator[Path]:
    """A folder that an ordinary user can reach, unlike pytest's, and owns."""
    folder = Path(tempfile.mkdtemp(prefix="library-", dir="/tmp"))
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


@contextmanager
def _as_ordinary_user() -> Iterator[None]:
    """Root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def _form(path: Path) -> dict[str, list[str]]:
    """What makes up each table and index, in any order; a foreign key may stand at its column or at the end."""
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    rows = [(name, re.sub(r"FOREIGN KEY\(\w+\) (?=REFERENCES)", "", sql)) for name, sql in rows]
    return {name: sorted(filter(None, re.split("[ (),\\s]+", sql))) for name, sql in rows}


def _execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(statement)


def _environment() -> dict[str, str]:
    root = Path(migrate.__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}
