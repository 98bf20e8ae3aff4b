"""PostgreSQL as the library's database: two kinds of sessions, one writer, restarts, and its errors in one sentence."""

from __future__ import annotations

import threading
import time

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import PostgresServer
from library_facts import a_source
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from kick_clip_generator.core.errors import InputError, LibraryError, UnavailableError
from kick_clip_generator.library import postgres, tables
from kick_clip_generator.library.engine import database_now
from kick_clip_generator.library.library import Library


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_a_new_database_has_the_tables_of_the_models(postgres_url: str) -> None:
    with Library.open(postgres_url) as library, library.reading() as session:
        # Full-text search, the indexes of lists and the one active model are SQL of their own.
        own = ("ix_transcript_text", "ix_clip_list", "uq_model_version_active")
        named = lambda name, kind, parents: not str(name).startswith(own)  # noqa: E731
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True, "include_name": named})
        found = compare_metadata(context, tables.Base.metadata)
        assert [change for change in found if "uq_model_version_active" not in str(change)] == []


def test_a_reading_session_cannot_write_and_needs_no_lock(postgres_url: str) -> None:
    with Library.open(postgres_url) as library, library.writing():
        assert library.sources() == []
        with pytest.raises(UnavailableError, match="read-only"), library.reading() as session:
            session.execute(text("DELETE FROM source"))


def test_a_reading_session_sees_one_moment(postgres_url: str) -> None:
    with Library.open(postgres_url) as library, library.reading() as session:
        count = select(text("count(*)")).select_from(tables.Source)
        assert session.scalar(count) == 0
        library.record_source(a_source())
        assert session.scalar(count) == 0
    with library.reading() as session:
        assert session.scalar(count) == 1


def test_the_clock_goes_on_within_a_transaction(postgres_url: str) -> None:
    with Library.open(postgres_url) as library, library.writing() as session:
        first = session.scalar(select(database_now()))
        time.sleep(0.01)
        second = session.scalar(select(database_now()))
    assert first is not None and second is not None
    assert second > first
    assert abs(second - time.time()) < 60


def test_writers_wait_for_each_other_and_not_for_ever(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library.open(postgres_url) as holder:
        monkeypatch.setattr(postgres, "LOCK_TIMEOUT_S", 0.2)
        engine = postgres.make_postgres_engine(postgres.parse_url(postgres_url), lock_timeout_s=0.2)
        with Library(engine, None, "the test") as library:
            with holder.writing(), pytest.raises(UnavailableError, match="locked by another program"):
                library.record_source(a_source())
            library.record_source(a_source())


def test_two_programs_that_start_at_once_make_one_database(postgres_url: str) -> None:
    failures: list[BaseException] = []

    def start() -> None:
        try:
            Library.open(postgres_url).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_names_are_sorted_by_code_point(postgres_url: str) -> None:
    with Library.open(postgres_url) as library:
        for name in ("b", "A", "a", "B", "ä", "_"):
            library.save_preset(name, {})
        assert [preset.name for preset in library.presets()] == sorted(["b", "A", "a", "B", "ä", "_"])


@pytest.mark.slow
def test_a_restart_breaks_one_transaction_and_nothing_else(own_postgres: PostgresServer) -> None:
    with Library.open(own_postgres.new_database()) as library:
        library.record_source(a_source("https://example.com/before"))
        with pytest.raises(UnavailableError, match="cannot be reached"), library.writing() as session:
            session.add(tables.Preset(name="lost", body={}))
            session.flush()
            own_postgres.restart()
            session.execute(text("SELECT 1"))
        # Every pooled connection is dead, and the next call does not notice.
        library.record_source(a_source("https://example.com/after"))
        assert [source.url for source in library.sources()] == [
            "https://example.com/after",
            "https://example.com/before",
        ]
        assert library.presets() == []


@pytest.mark.slow
def test_calls_wait_while_the_server_starts(own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library.open(own_postgres.new_database()) as library:
        own_postgres.stop()
        starting = threading.Timer(1.0, own_postgres.start)
        starting.start()
        monkeypatch.setattr(postgres, "RECONNECT_S", 60.0)
        library.record_source(a_source())
        starting.join()
        own_postgres.stop()
        monkeypatch.setattr(postgres, "RECONNECT_S", 0.3)
        with pytest.raises(UnavailableError, match="see that it runs"):
            library.sources()
        own_postgres.start()
        assert len(library.sources()) == 1


def test_the_database_of_another_program(postgres_server: PostgresServer, postgres_url: str) -> None:
    postgres_server.execute("CREATE TABLE wp_posts (id int)", postgres_url.rpartition("/")[2])
    with pytest.raises(LibraryError, match="another program"):
        Library.open(postgres_url)


def test_a_newer_database(postgres_server: PostgresServer, postgres_url: str) -> None:
    Library.open(postgres_url).close()
    postgres_server.execute("UPDATE alembic_version SET version_num = '9999'", postgres_url.rpartition("/")[2])
    with pytest.raises(LibraryError, match="newer version"):
        Library.open(postgres_url)


def test_a_database_that_is_not_there(postgres_url: str) -> None:
    with pytest.raises(LibraryError, match="check DATABASE_URL"):
        Library.open(postgres_url + "_nowhere")


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setattr(postgres, "RECONNECT_S", 0.0)
    with pytest.raises(UnavailableError, match=r"'clips' on 127.0.0.1:9") as failed:
        Library.open("postgresql://somebody:secret@127.0.0.1:9/clips")
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize("url", ["mysql://host/x", "sqlite:///x.db", "postgresql+asyncpg://host/x", "://", "x://y:z/"])
def test_urls_of_other_databases(url: str) -> None:
    with pytest.raises(InputError, match="DATABASE_URL") as failed:
        Library.open(url)
    assert "postgresql+psycopg://" in str(failed.value)


def test_a_bug_keeps_its_traceback(postgres_url: str) -> None:
    with Library.open(postgres_url) as library, pytest.raises(DBAPIError), library.reading() as session:
        session.execute(text("SELECT nonsense"))
