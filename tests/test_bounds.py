"""Any span by hand, and ends that stay movable: what is fetched, what stays, and what is said when it cannot be."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from kick_clip_generator.cli.arguments import moment
from kick_clip_generator.cli.main import main
from kick_clip_generator.core.errors import Cancelled, InputError, LibraryError, SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.generator import KickClipGenerator
from kick_clip_generator.library import migrate
from kick_clip_generator.library.engine import make_engine
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.thumbnails import thumbnail_path
from kick_clip_generator.media.probe import probe
from kick_clip_generator.service.bounds import move_bounds
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.folders import scan, set_label
from kick_clip_generator.service.generate import GenerateRequest, GenerateResult, generate_highlights
from kick_clip_generator.service.library import open_library
from kick_clip_generator.service.rating import rate
from tests.origin import Origin, make_hls
from tests.streams import make_stream

LENGTH_S = 40.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bounds")
    stream = make_stream(folder / "stream.mp4", duration_s=LENGTH_S, events=[(12, 18)])
    make_hls(folder / "ts", stream, segment_s=4.0)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Origin]:
    with Origin(folder) as origin:
        yield origin


@pytest.fixture
def origin(server: Origin) -> Origin:
    server.heal()
    server.forget()
    return server


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=0, request_timeout=5, min_training_samples=100)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with open_library(settings) as library:
        yield library


def by_hand(url: object, library: Library, settings: Settings, start_s: float, end_s: float) -> int:
    span = Span(start_s, end_s)
    highlight = Highlight(kind="both", score=0.0, peak_s=(start_s + end_s) / 2, event=span, clip=span)
    request = GenerateRequest.checked(url=str(url), settings=settings, cut="exact")
    return cut_highlights(request, [highlight], library=library, settings=settings).files[0].id


def assert_nothing_left() -> None:
    assert not list(Path().rglob("*.part")) and not list(Path("temp_chunks").iterdir())


def test_new_ends_under_the_same_number_name_stars_and_label(
    folder: Path, library: Library, settings: Settings
) -> None:
    number = by_hand(folder / "stream.mp4", library, settings, 10, 16)
    rate(library, settings, number, 5)
    set_label(library, settings, number, "keep")
    before = library.clip(number)
    picture = thumbnail_path(before.path).read_bytes()
    done = move_bounds(number, 12.25, 20.0, library=library, settings=settings)
    after = library.clip(number)
    assert done.clip == after and after.moved and after.span == Span(12.25, 20.0)
    for name in ("id", "path", "name", "stars", "kept", "highlight", "created_at", "cut", "quality", "home"):
        assert getattr(after, name) == getattr(before, name)
    assert after.sha256 != before.sha256 and after.size == after.path.stat().st_size
    assert probe(after.path).duration_s == pytest.approx(7.75, abs=0.06)
    shown = thumbnail_path(after.path).read_bytes()
    assert shown.startswith(b"\xff\xd8") and picture.startswith(b"\xff\xd8")
    assert thumbnail_path(after.path).parent == before.home / "keep" / ".thumbnails"
    assert len(library.training_samples()) == 1 and len(library.clips().items) == 1
    assert_nothing_left()

    one_end = move_bounds(number, None, 18.0, library=library, settings=settings)
    assert one_end.clip.span == Span(12.25, 18.0)
    same = move_bounds(number, 12.25, 18.0, library=library, settings=settings)
    assert same.clip == one_end.clip and "already" in same.note


def test_only_the_segments_that_are_touched_are_fetched(origin: Origin, library: Library, settings: Settings) -> None:
    number = by_hand(origin.url("ts/index.m3u8"), library, settings, 9, 14)
    origin.forget()
    move_bounds(number, 20.5, 27.0, library=library, settings=settings)
    fetched = {path: count for path, count in origin.requests.items() if path.endswith(".ts")}
    # Opening looks at the first segment; 20 to 28 s are the sixth and the seventh.
    assert set(fetched) <= {f"/ts/index_00{n}.ts" for n in (0, 4, 5, 6)}
    assert {"/ts/index_005.ts", "/ts/index_006.ts"} <= set(fetched) and max(fetched.values()) == 1
    origin.forget()
    move_bounds(number, 20.5, 27.0, library=library, settings=settings)
    assert not origin.requests, "the ends are there already"


def test_an_expired_source_is_told_and_the_clip_stays(origin: Origin, library: Library, settings: Settings) -> None:
    number = by_hand(origin.url("ts/index.m3u8"), library, settings, 9, 14)
    before = library.clip(number)
    content = before.path.read_bytes()
    for status in (404, 410, 403):
        origin.fail("/ts/index.m3u8", status)
        with pytest.raises(SourceError, match=rf"clip {number} cannot be moved.*not there any more.*expired.*stays"):
            move_bounds(number, 10, 15, library=library, settings=settings)
    origin.heal()
    for segment in (2, 3):
        origin.fail(f"/ts/index_00{segment}.ts", 404)
    with pytest.raises(SourceError):
        move_bounds(number, 10, 15, library=library, settings=settings)
    assert library.clip(number) == before and before.path.read_bytes() == content
    assert_nothing_left()


def test_another_source_under_the_same_address_is_refused(folder: Path, library: Library, settings: Settings) -> None:
    stream = Path("stream.mp4")
    stream.write_bytes((folder / "stream.mp4").read_bytes())
    number = by_hand(stream, library, settings, 10, 13)
    content = library.clip(number).path.read_bytes()
    # In another place, as told by hand, it is the same file.
    stream.rename("elsewhere.mp4")
    with pytest.raises(SourceError, match="--url"):
        move_bounds(number, 11, 13, library=library, settings=settings)
    done = move_bounds(number, 11, 13, library=library, settings=settings, url="elsewhere.mp4")
    assert done.clip.span == Span(11, 13)
    content = done.clip.path.read_bytes()
    make_stream(stream, duration_s=20)
    for url in (None, "stream.mp4"):
        with pytest.raises(SourceError, match="not what it was") as told:
            move_bounds(number, 10, 13, library=library, settings=settings, url=url)
        assert told.value.outcome == "changed"
    assert library.clip(number).path.read_bytes() == content


def test_a_stop_or_a_damaged_source_leaves_the_old_clip(folder: Path, library: Library, settings: Settings) -> None:
    number = by_hand(folder / "stream.mp4", library, settings, 10, 13)
    before, content = library.clip(number), library.clip(number).path.read_bytes()
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        move_bounds(
            number,
            11,
            14,
            library=library,
            settings=settings,
            cancel=cancel,
            progress=lambda step: cancel.cancel() if step.step == "clips" else None,
        )
    assert library.clip(number) == before and before.path.read_bytes() == content
    before.path.write_bytes(b"my own edit")
    with pytest.raises(LibraryError, match="was changed since"):
        move_bounds(number, 11, 14, library=library, settings=settings)
    assert before.path.read_bytes() == b"my own edit"
    before.path.unlink()
    assert move_bounds(number, 11, 14, library=library, settings=settings).clip.path.is_file(), "a lost file comes back"
    assert_nothing_left()


@pytest.mark.parametrize(
    ("start_s", "end_s", "words"),
    [
        (16.0, 12.0, "must lie before"),
        (12.0, 12.0, "must lie before"),
        (-1.0, 12.0, "begins at 0"),
        (float("nan"), 12.0, "begins at 0"),
        (1.0, float("inf"), "begins at 0"),
        (50.0, 60.0, "behind the end of the stream"),
        (30.0, 60.0, "beyond the end of the stream"),
    ],
)
def test_bad_times(
    folder: Path, library: Library, settings: Settings, start_s: float, end_s: float, words: str
) -> None:
    number = by_hand(folder / "stream.mp4", library, settings, 10, 12)
    before = library.clip(number)
    with pytest.raises(InputError, match=words):
        move_bounds(number, start_s, end_s, library=library, settings=settings)
    assert library.clip(number) == before and before.path.is_file()


KILLED = """
import os, sys
from pathlib import Path
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.bounds import move_bounds
from kick_clip_generator.service.library import open_library

def die(*_): os.kill(os.getpid(), 9)
if sys.argv[1] == "before the file":
    Path.replace = die
else:
    Library.finish_ends = die
with open_library(Settings()) as library:
    move_bounds(int(sys.argv[2]), 12, 17, library=library, settings=Settings())
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("where", ["before the file", "before the row", "before the row, then kept by hand"])
def test_a_kill_between_the_file_and_its_row_is_mended(
    folder: Path, library: Library, settings: Settings, where: str
) -> None:
    number = by_hand(folder / "stream.mp4", library, settings, 10, 13)
    before = library.clip(number)
    root = Path(__file__).resolve().parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root)}
    argv = [sys.executable, "-c", KILLED, where.partition(",")[0], str(number)]
    assert subprocess.run(argv, env=environment, check=False).returncode == -signal.SIGKILL
    assert library.clip(number) == before
    path = before.path
    if "kept" in where:
        path = before.home / "keep" / "best.mp4"
        path.parent.mkdir()
        before.path.rename(path)
    with open_library(settings):
        after = library.clip(number)
    if where == "before the file":
        assert after == before and probe(path).duration_s == pytest.approx(3, abs=0.06)
    else:
        assert (after.path, after.span, after.moved) == (path, Span(12, 17), True)
        assert probe(path).duration_s == pytest.approx(5, abs=0.06)
        assert thumbnail_path(path).is_file() and after.kept == ("kept" in where)
    assert not library.is_precious(after) or after.moved
    assert scan(library, settings).mended == []
    assert move_bounds(number, 10, 12, library=library, settings=settings).clip.span == Span(10, 12)
    assert_nothing_left()


def test_two_that_move_one_clip_leave_one_of_them_whole(folder: Path, library: Library, settings: Settings) -> None:
    number = by_hand(folder / "stream.mp4", library, settings, 10, 13)
    with open_library(settings) as other:

        def meanwhile(step: Any) -> None:
            if step.step == "resolve":
                move_bounds(number, 20, 24, library=other, settings=settings)

        # The second one began before the first had ended, and does not know its file.
        with pytest.raises(LibraryError, match="was changed since"):
            move_bounds(number, 11, 13, library=library, settings=settings, progress=meanwhile)
    clip = library.clip(number)
    assert clip.span == Span(20, 24) and probe(clip.path).duration_s == pytest.approx(4, abs=0.06)


@pytest.mark.slow
def test_a_later_run_takes_moved_and_kept_clips_as_they_are_and_leaves_dropped_ones_out(tmp_path: Path) -> None:
    stream = make_stream(tmp_path / "three.mp4", duration_s=110, events=[(20, 26), (50, 57), (80, 88)])
    settings = Settings(min_audio_score=0, min_video_score=0, min_training_samples=100)
    request = GenerateRequest.checked(url=str(stream), settings=settings, clip_duration_s=6.0, cut="copy")

    with open_library(settings) as library:
        _runs_twice(request, library, settings)


def _runs_twice(request: GenerateRequest, library: Library, settings: Settings) -> None:
    def run() -> GenerateResult:
        return generate_highlights(request, library=library, settings=settings)

    first = run()
    assert len(first.clips) >= 3, "the stream gives three clips"
    moved, kept, dropped = (clip.id for clip in first.clips[:3])
    span = library.clip(moved).span
    move_bounds(moved, span.start_s + 0.5, span.end_s, library=library, settings=settings)
    set_label(library, settings, kept, "keep")
    set_label(library, settings, dropped, "drop")
    contents = {number: library.clip(number).path.read_bytes() for number in (moved, kept, dropped)}
    second = run()
    ids = [clip.id for clip in second.clips]
    assert moved in ids and kept in ids and dropped not in ids
    assert len(ids) == len(first.clips) - 1 and any("dropped" in note for note in second.notes)
    assert {number: library.clip(number).path.read_bytes() for number in contents} == contents
    assert len(list(Path("output_clips").rglob("*.mp4"))) == len(first.clips)
    assert len(list(Path("output_clips").rglob("*.jpg"))) == len(first.clips)


# Times and the command line


@pytest.mark.parametrize(
    ("text", "time_s"),
    [("1:02:03", 3723), ("2:03.5", 123.5), ("0:00", 0), ("90", 90), ("90.25", 90.25), (" 1:00:00.001 ", 3600.001),
     ("75:00", 4500)],
)  # fmt: skip
def test_times(text: str, time_s: float) -> None:
    assert moment(text) == pytest.approx(time_s, abs=1e-9)


def test_a_span_by_hand_and_its_ends_on_the_command_line(
    folder: Path, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = str(folder / "stream.mp4")
    assert main(["clip", stream, "--start", "0:10", "--end", "0:13.5", "-q"]) == 0
    assert main(["clip", stream, "--start", "0:10", "--end", "0:13.5"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert probe(path).duration_s == pytest.approx(3.5, abs=0.06) and thumbnail_path(path).is_file()
    clip = library.clip_at(path)
    assert clip is not None
    for name, start, length_s in ((str(clip.id), "0:11", 2.5), (str(path), "0:09.5", 4.0)):
        assert main(["clip", "--id", name, "--start", start]) == 0
        assert Path(capsys.readouterr().out.strip()) == path
        assert probe(path).duration_s == pytest.approx(length_s, abs=0.06)
    before = path.read_bytes()
    for argv, words in (
        ([stream, "--start", "0:20", "--end", "0:10"], "--start (0:20) must lie before --end (0:10)"),
        ([stream, "--start", "1:75:00", "--end", "2:00:00"], "'1:75:00'"),
        ([stream, "--start", "0:61", "--end", "2:00"], "'0:61'"),
        ([stream, "--start", "-5", "--end", "2:00"], "--start"),
        ([stream, "--start", "nan", "--end", "2:00"], "'nan'"),
        ([stream, "--start", "٣", "--end", "2:00"], "'٣'"),
        ([stream, "--start", "9" * 9, "--end", "2:00"], "expected a time"),
        ([stream, "--start", "0:30", "--end", "1:30"], "beyond the end of the stream (0:40, 40.0 s)"),
        ([stream, "--start", "1:00:00", "--end", "1:00:10"], "behind the end of the stream"),
        ([stream, "--start", "0:30"], "give --start and --end"),
        (["--start", "0:01", "--end", "0:30"], "give the stream"),
        ([stream, "--url", stream, "--start", "0:01", "--end", "0:30"], "not allowed with"),
        (["--id", "1"], "give --start, --end or both"),
        (["--id", "1", stream, "--start", "0:01"], "give no stream"),
        (["--id", "99", "--start", "0:01"], "no clip 99"),
        (["--id", str(clip.id), "--start", "0:15"], "must lie before"),
        (["--id", str(clip.id), "--end", "0:55"], "beyond the end"),
    ):
        assert main(["clip", *argv]) == 2, argv
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
        assert len(said) == 1 and words in said[0], said
    assert path.read_bytes() == before


def test_from_python(folder: Path, settings: Settings) -> None:
    generator = KickClipGenerator(settings=settings)
    span = Span(10, 13)
    stream = str(folder / "stream.mp4")
    (path,) = generator.generate_clips(stream, [Highlight(kind="both", score=0, peak_s=12, event=span, clip=span)])
    assert generator.move_clip(1, end=15) == path and probe(path).duration_s == pytest.approx(5, abs=0.06)
    assert generator.keep(1) == path.parent / "keep" / path.name
    assert generator.drop(1) == path.parent / "drop" / path.name and not path.exists()


# The tables


def test_an_older_library_is_upgraded_with_its_clips(tmp_path: Path) -> None:
    path, home = tmp_path / "old.db", tmp_path / "out"
    engine = make_engine(path)
    config = Config()
    config.set_main_option("script_location", str(migrate._MIGRATIONS).replace("%", "%%"))
    with engine.execution_options(write=True).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    engine.dispose()
    body = '{"start": 1, "end": 5, "score": 0.5, "heuristic_score": 0.5, "ml_score": null}'
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO source VALUES (1, 'u', 'hls', 't', '', 60, 'f', 0, 'u', 1, 1)")
        other.execute(
            "INSERT INTO clip VALUES (7, 1, NULL, ?, 'audio', ?, 'a.mp4', 'a.mp4', 3, 1, 'x', 1, 5, 1, 5, 0.5, 'exact',"
            " NULL, 4, 0, 1, 1)",
            (body, str(home / "a.mp4")),
        )
        other.execute("INSERT INTO clip_feature VALUES (7, '{}')")
        other.execute("INSERT INTO rating VALUES (1, 7, 4, NULL, 1)")
    with Library.open(path) as library:
        clip = library.clip(7)
        assert (clip.stars, clip.kept, clip.span, clip.home) == (4, True, Span(1, 5), home)
        assert (clip.quality, clip.moved, clip.dropped) == (None, False, False)
        assert [sample.stars for sample in library.training_samples()] == [4]
        assert (library.file_notes()[0].home, library.file_notes()[0].label) == (home, "keep")


def test_the_revision_is_plain_sql_for_postgresql() -> None:
    said = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": said, "literal_binds": True}
    )
    script = ScriptDirectory(str(migrate._MIGRATIONS)).get_revision("0002")
    assert script is not None
    with Operations.context(context):
        script.module.upgrade()
    assert "ALTER TABLE clip ADD COLUMN moved_at DOUBLE PRECISION" in said.getvalue()
    assert "ALTER TABLE rating ADD COLUMN label TEXT" in said.getvalue()
