"""Backups, the way back, and a damaged library that mends itself; everything exported and imported."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from library_facts import a_clip, a_file, a_highlight, a_source
from sqlalchemy import text

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library import migrate
from kick_clip_generator.library.backups import is_sound, list_backups, new_backup, prune_backups
from kick_clip_generator.library.exchange import export_tables
from kick_clip_generator.library.exchange_import import import_tables
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipQuery
from kick_clip_generator.library.transcripts import Line
from kick_clip_generator.service.backup import back_up, restore

SETTINGS = Settings()


def a_full_library(library: Library, folder: Path) -> dict[str, int]:
    """Some of everything."""
    source_id = library.record_source(a_source(title='Ünïcode 💀, "quoted"\nand more'))
    project = library.add_project("https://example.com/vod")
    library.attach_source(project.id, source_id)
    (highlight_id,) = library.replace_highlights(source_id, None, [a_highlight(10)])
    first = library.record_clip(a_clip(source_id, folder / "1.mp4", highlight_id=highlight_id))
    second = library.record_clip(a_clip(source_id, folder / "2.mp4", start_s=60.0, kind="video"))
    library.rate(first, 5, None)
    library.rate(second, None, None)
    library.record_compound(project.id, "best", a_file(folder / "best.mp4"), 30.0, {"parts": [1, 2]})
    library.replace_transcript(source_id, 0, 60, [Line(1.0, 2.0, "hello, world", "A", ({"text": "hello"},))])
    library.save_preset("Shorts", {"clip_duration": 30})
    library.keep_value("something", {"is": "kept"})
    job = library.enqueue("analyze", {"n": 1}, project_id=project.id)
    library.enqueue("measure_batch", {}, project_id=project.id, parent_id=job.id)
    return {"source": source_id, "first": first, "second": second, "project": project.id, "job": job.id}


def contents(library: Library) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    from kick_clip_generator.library.tables import Base

    with library.reading() as session:
        return {
            table.name: sorted((tuple(row) for row in session.execute(table.select())), key=repr)
            for table in Base.metadata.sorted_tables
        }


def test_a_backup_holds_every_row(library: Library, tmp_path: Path) -> None:
    a_full_library(library, tmp_path)
    written = library.backup(tmp_path / "copy.db")
    assert is_sound(written.path)
    assert sorted(path.name for path in tmp_path.glob("copy.db*")) == ["copy.db"]
    with Library.open(written.path) as copy:
        assert contents(copy) == contents(library)
        assert [found.line.text for found in copy.search_transcripts("hello").items] == ["hello, world"]


def test_restoring_brings_back_every_row(library: Library, tmp_path: Path) -> None:
    library.backup_folder = tmp_path / "backups"
    ids = a_full_library(library, tmp_path)
    before = contents(library)
    back_up(library, SETTINGS)
    library.rate(ids["second"], 1, None)
    library.delete_project(ids["project"])
    later = contents(library)
    restored, safety = restore(library)
    assert contents(library) == before
    assert [found.line.text for found in library.search_transcripts("hello").items] == ["hello, world"]
    assert library.add_project("https://example.com/new").id > ids["project"]
    assert restored != safety
    restore(library, safety)
    assert contents(library) == later


def test_a_program_that_has_it_open_sees_what_was_restored(
    library: Library, library_place: Path | str, tmp_path: Path
) -> None:
    library.backup_folder = tmp_path / "backups"
    library.record_source(a_source(title="old"))
    library.add_session("hash", 3600.0)
    backup = back_up(library, SETTINGS).path
    with Library.open(library_place) as other:
        other.record_source(a_source("https://example.com/2", title="new"))
        with other.reading() as session:
            sources = text("SELECT count(*) FROM source")
            assert session.scalar(sources) == 2
            if library.path is not None:  # PostgreSQL's TRUNCATE waits for readers
                restore(library, backup)
                assert session.scalar(sources) == 2, "one moment of the database"
        restore(library, backup)
        assert [source.title for source in other.sources()] == ["old"]
        other.record_source(a_source("https://example.com/3", title="later"))
        assert not other.session_is_valid("hash")
    assert len(library.sources()) == 2
    assert list(library.backup_folder.glob("restore-*")) == []


def test_a_sqlite_library_moves_to_postgresql(postgres_url: str, tmp_path: Path) -> None:
    with Library.open(tmp_path / "clips.db") as old:
        a_full_library(old, tmp_path)
        backup = back_up(old, SETTINGS)
        with Library.open(postgres_url, backup_folder=tmp_path / "elsewhere") as new:
            new.restore(backup.path)
            assert contents(new) == contents(old)
            assert new.record_source(a_source("https://example.com/next")) > 1


def test_the_newest_five_are_kept(library: Library, tmp_path: Path) -> None:
    library.backup_folder = tmp_path / "backups"
    mine = back_up(library, SETTINGS, tmp_path / "backups" / "mine.db").path
    written = [back_up(library, SETTINGS).path for _ in range(7)]
    assert list_backups(library.backup_folder, library.stem) == written[:1:-1]
    assert mine.is_file()


def test_names_sort_by_time_within_a_second(tmp_path: Path) -> None:
    paths = []
    for _ in range(12):
        paths.append(new_backup(tmp_path, "clips"))
        paths[-1].touch()
    assert list_backups(tmp_path, "clips") == paths[::-1]
    assert prune_backups(tmp_path, "clips", keep=1) == paths[-2::-1]


def test_what_is_no_backup_is_not_restored(library: Library, tmp_path: Path) -> None:
    library.backup_folder = tmp_path / "backups"
    a_full_library(library, tmp_path)
    before = contents(library)
    good = library.backup(tmp_path / "good.db").path
    for name, content in {"empty.db": b"", "text.db": b"Dear diary", "cut.db": good.read_bytes()[:9000]}.items():
        bad = tmp_path / name
        bad.write_bytes(content)
        with pytest.raises(LibraryError, match="no sound copy"):
            library.restore(bad)
    with closing(sqlite3.connect(good)) as other, other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LibraryError, match="newer version"):
        library.restore(good)
    with pytest.raises(InputError, match="no file"):
        restore(library, tmp_path / "nowhere.db")
    with pytest.raises(InputError, match="no backup"):
        restore(library)
    assert contents(library) == before


# A damaged library


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(8192, len(content), 4096):
        content[page : page + 64] = b"\xff" * 64
    path.write_bytes(content)


def test_a_damaged_library_is_replaced_by_the_newest_good_backup(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        library.record_source(a_source(title="old"))
        back_up(library, SETTINGS)
        library.record_source(a_source("https://example.com/2", title="new"))
        good = back_up(library, SETTINGS).path
        library.record_source(a_source("https://example.com/3", title="lost"))
        bad = back_up(library, SETTINGS).path
    damage(path)
    damage(bad)
    with Library.open(path) as library:
        assert [source.title for source in library.sources()] == ["new", "old"]
        (note,) = library.notes
    assert good.name in note
    (aside,) = tmp_path.glob("clips.db.damaged-*")
    assert aside.name in note
    with Library.open(path) as library:
        assert library.notes == []


def test_two_programs_that_start_on_a_damaged_library_recover_it_once(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        library.record_source(a_source(title="kept"))
        back_up(library, SETTINGS)
    damage(path)
    code = (
        "import sys; from kick_clip_generator.library.library import Library\n"
        "with Library.open(sys.argv[1]) as library: print(library.sources()[0].title)"
    )
    root = Path(migrate.__file__).parents[2]
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, cwd=root) for _ in range(2)
    ]
    assert [start.communicate()[0].strip() for start in starts] == [b"kept", b"kept"]
    assert len(list(tmp_path.glob("clips.db.damaged-*"))) == 1
    assert not list(tmp_path.glob("*.recovery"))


def test_a_damaged_library_without_a_good_backup_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "clips.db"
    with Library.open(path) as library:
        library.record_source(a_source())
        damage(back_up(library, SETTINGS).path)
    damage(path)
    content = path.read_bytes()
    with pytest.raises(LibraryError, match=r"damaged.*backup"):
        Library.open(path)
    assert path.read_bytes() == content
    assert not list(tmp_path.glob("*.recovery"))


def test_an_older_library_is_backed_up_before_it_is_upgraded(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    from kick_clip_generator.library.engine import make_engine

    path = tmp_path / "clips.db"
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS).replace("%", "%%"))
    engine = make_engine(path)
    with engine.execution_options(write=True).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        connection.execute(
            text(
                "INSERT INTO source (id, url, kind, title, channel, fingerprint, live, search, created_at, updated_at)"
                " VALUES (1, 'u', 'hls', 't', '', 'f', 0, '', 0, 0)"
            )
        )
        connection.execute(
            text("INSERT INTO transcript (source_id, start_s, end_s, text, words) VALUES (1, 0.0, 1.0, 'spoken', '[]')")
        )
        connection.commit()
    engine.dispose()
    with Library.open(path) as library:
        assert [found.line.text for found in library.search_transcripts("spoken").items] == ["spoken"]
    (backup,) = list_backups(tmp_path / "backups", "clips")
    assert f".before-{migrate.HEAD}" in backup.name
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("SELECT version_num FROM alembic_version").fetchall() == [("0003",)]
    with Library.open(path) as library:
        library.replace_transcript(1, 0.0, 60.0, [])
        restore(library, backup)  # of that older form
        assert [found.line.text for found in library.search_transcripts("spoken").items] == ["spoken"]


# Export and import


def test_everything_travels_to_another_machine(library: Library, tmp_path: Path) -> None:
    ids = a_full_library(library, tmp_path)
    counts = export_tables(library, tmp_path / "out")
    assert counts["clips"] == 2 and counts["ratings"] == 2 and counts["compounds"] == 1
    assert json.loads((tmp_path / "out" / "library.json").read_text())["rows"] == counts
    for name in ("1.mp4", "2.mp4"):
        (tmp_path / name).unlink()
    with Library.open(tmp_path / "other" / "clips.db") as other:
        other.record_source(a_source("https://example.com/another"))  # ids differ
        new = import_tables(other, tmp_path / "out")
        assert (new["sources"], new["clips"], new["ratings"], new["transcripts"]) == (1, 2, 2, 1)
        (sample,) = other.training_samples()
        (here,) = library.training_samples()
        assert (sample.stars, sample.kind, sample.rated_at) == (here.stars, here.kind, here.rated_at)
        assert repr(sample.row) == repr(here.row)
        assert other.source(sample.source_id).title == library.source(ids["source"]).title
        assert other.rating_counts().skips == 1
        assert other.clips(ClipQuery(dropped=None)).items == ()  # their files are not here
        assert other.projects().items[0].title == library.project(ids["project"]).title
        assert [line.text for line in other.transcript(sample.source_id)] == ["hello, world"]
        assert [preset.body for preset in other.presets()] == [{"clip_duration": 30}]
        before = contents(other)
        assert set(import_tables(other, tmp_path / "out").values()) == {0}
        assert contents(other) == before


def test_clips_whose_files_are_here_are_shown(library: Library, tmp_path: Path) -> None:
    ids = a_full_library(library, tmp_path)
    export_tables(library, tmp_path / "out")
    with Library.open(tmp_path / "other.db") as other:
        import_tables(other, tmp_path / "out")
        found = {clip.name: clip for clip in other.clips().items}
        assert set(found) == {"1.mp4", "2.mp4"}
        original = library.clip(ids["first"])
        assert replace(found["1.mp4"], id=1, source_id=1, highlight_id=1) == replace(
            original, id=1, source_id=1, highlight_id=1
        )


def test_a_newer_judgement_here_stays(library: Library, tmp_path: Path) -> None:
    ids = a_full_library(library, tmp_path)
    export_tables(library, tmp_path / "out")
    library.rate(ids["first"], 2, None)
    assert import_tables(library, tmp_path / "out")["ratings"] == 0
    assert library.clip(ids["first"]).stars == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("library.json", "{}", "no export"),
        ("library.json", "[" * 100_000, "no export"),
        ("library.json", '{"form": 99}', "another version"),
        ("clips.csv", "a,b\n1,2\n", "no column"),
        ("ratings.csv", "x" * 100, "no column"),
        ("sources.csv", '"unclosed', "cannot be read"),
    ],
)
def test_what_is_no_export_changes_nothing(
    library: Library, tmp_path: Path, name: str, content: str, words: str
) -> None:
    a_full_library(library, tmp_path)
    export_tables(library, tmp_path / "out")
    (tmp_path / "out" / name).write_text(content)
    before = contents(library)
    with pytest.raises(InputError, match=words):
        import_tables(library, tmp_path / "out")
    assert contents(library) == before
    with pytest.raises(InputError, match="no export"):
        import_tables(library, tmp_path / "nowhere")


def test_odd_values_in_an_export_change_nothing(library: Library, tmp_path: Path) -> None:
    a_full_library(library, tmp_path)
    export_tables(library, tmp_path / "out")
    path = tmp_path / "out" / "ratings.csv"
    good = path.read_text()
    with Library.open(tmp_path / "other.db") as other:
        before = contents(other)
        for column, value in (("stars", "7"), ("created_at", "nan"), ("start_s", "soon"), ("label", "love")):
            lines = good.splitlines()
            cells = lines[1].split(",")
            cells[lines[0].split(",").index(column)] = value
            path.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
            with pytest.raises(InputError):
                import_tables(other, tmp_path / "out")
            assert contents(other) == before
