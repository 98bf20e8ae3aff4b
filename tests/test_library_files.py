"""Names for any title, and files that are never half there."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.files import (
    check_writable,
    free_path,
    part_file,
    part_path,
    publish,
    safe_name,
    sweep_parts,
)
from kick_clip_generator.library.owner import process_start

# Any code point, also the lone surrogates of a file name that is not UTF-8, and more of the troublesome ones.
ANY_TEXT = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from(" ._-/\\:\0\n\u202e\u200d\u0301👩👧🇩🇪🏽CONnul1")),
    max_size=120,
)
# How fast the machine is says nothing about names.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TROUBLE = ["", ".", "..", "a/b", "\0", "CON", "nul.txt", "COM¹", "-x", "x. ", "\u202etxt.exe", "caf\udce9", "e\u0301"]


@UNHURRIED
@given(ANY_TEXT, st.integers(24, 200))
@example("👩‍👧" * 30, 80)
@example("x" + "\u0301" * 400, 80)
@example("a" * 79 + "🇩🇪", 80)
def test_a_safe_name_is_safe(text: str, max_bytes: int) -> None:
    name = safe_name(text, max_bytes=max_bytes)
    assert 0 < len(name.encode()) <= max_bytes
    assert unicodedata.is_normalized("NFC", name)
    assert not set('/\\:*?"<>|\u202e\u2066\ufeff') & set(name)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name)
    assert name == name.strip()
    assert name[0] not in ".-"
    assert name[-1] not in ". "
    assert name.partition(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9", "COM¹", "CONIN$"}
    assert safe_name(name, max_bytes=max_bytes) == name


@UNHURRIED
@given(ANY_TEXT, ANY_TEXT)
def test_two_titles_have_two_names(one: str, other: str) -> None:
    if one != other:
        assert safe_name(one) != safe_name(other)


@pytest.mark.parametrize("text", ["Best of 2026", "Größe", "日本語の配信　第1回", "👩‍👧 live", "Mr. Robot", "_private"])
def test_a_harmless_title_stays_as_it_is(text: str) -> None:
    assert safe_name(text) == text


@pytest.mark.parametrize("text", TROUBLE)
def test_a_troublesome_title_makes_a_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / f"{safe_name(text)}.mp4"
    path.write_bytes(b"")
    assert path in tmp_path.iterdir()


def test_graphemes_are_not_cut_in_two() -> None:
    family = "👨‍👩‍👧‍👦"
    name = safe_name(family * 10, max_bytes=80)
    stem = name[:-9]
    assert stem == family * (len(stem) // len(family))
    flags = safe_name("🇩🇪" * 30, max_bytes=47)[:-9]
    assert flags == "🇩🇪" * (len(flags) // 2)


def test_a_long_title_keeps_its_beginning() -> None:
    assert safe_name("word " * 100).startswith("word word word")


def test_publishing_gives_the_name_to_a_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    with part_file(target) as part:
        part.write_bytes(b"frames")
        assert not target.exists()
        published = publish(part, target)
    assert (published.path, published.size) == (target.resolve(), 6)
    assert published.sha256 == hashlib.sha256(b"frames").hexdigest()
    assert published.mtime_ns == target.stat().st_mtime_ns
    assert list(tmp_path.iterdir()) == [target]


def test_publishing_never_overwrites_unless_told(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"mine")
    with pytest.raises(LibraryError, match="not overwritten"), part_file(target) as part:
        part.write_bytes(b"new")
        publish(part, target)
    assert target.read_bytes() == b"mine"
    with part_file(target) as part:
        part.write_bytes(b"new")
        publish(part, target, replace=True)
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_publishing_where_there_are_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    test_publishing_gives_the_name_to_a_whole_file(tmp_path)
    (tmp_path / "clip.mp4").unlink()
    test_publishing_never_overwrites_unless_told(tmp_path)


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"mine")
    target = tmp_path / "clip.mp4"
    target.symlink_to(tmp_path / "elsewhere")
    with part_file(target) as part:
        part.write_bytes(b"new")
        with pytest.raises(LibraryError, match="not overwritten"):
            publish(part, target)
        publish(part, target, replace=True)
    assert (tmp_path / "elsewhere").read_bytes() == b"mine"
    assert not target.is_symlink()


def test_a_part_that_is_missing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="cannot be written"):
        publish(tmp_path / "none.part", tmp_path / "clip.mp4")


def test_parts_of_dead_processes_are_swept_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os; from kick_clip_generator.library.owner import process_start;"
        "print(os.getpid(), process_start(os.getpid()), sep='.')"
    )
    root = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    machine = process_start(os.getpid()).split("-")[0]
    dead = [
        tmp_path / f"clip.mp4.{run.stdout.strip()}.part",
        tmp_path / f"clip.mp4.{os.getpid()}.{machine}-1.part",  # our id, given again
    ]
    forgotten = tmp_path / "clip.mp4.1.00000000-1.part"
    others = [
        part_path(tmp_path / "clip.mp4"),
        tmp_path / "clip.mp4.2.00000000-1.part",  # of another machine
        tmp_path / "movie.2019.part",  # a browser's
        tmp_path / "movie.mkv.part",
        tmp_path / "clip.mp4",
    ]
    for path in (*dead, forgotten, *others):
        path.write_bytes(b"")
    day_before_yesterday_s = time.time() - 48 * 3600
    for path in (forgotten, others[0]):
        os.utime(path, (day_before_yesterday_s, day_before_yesterday_s))
    assert sorted(sweep_parts(tmp_path)) == sorted([*dead, forgotten])
    assert sorted(tmp_path.iterdir()) == sorted(others)
    assert sweep_parts(tmp_path / "none") == []


def test_a_part_of_a_long_name_can_be_made(tmp_path: Path) -> None:
    with part_file(tmp_path / ("x" * 255)) as part:
        part.write_bytes(b"")
        publish(part, tmp_path / ("x" * 255))


def test_the_next_free_name(tmp_path: Path) -> None:
    assert free_path(tmp_path, "clip.mp4") == tmp_path / "clip.mp4"
    (tmp_path / "clip.mp4").write_bytes(b"")
    (tmp_path / "clip_2.mp4").symlink_to(tmp_path / "nowhere")
    assert free_path(tmp_path, "clip.mp4", taken=lambda path: path.stem == "clip_3") == tmp_path / "clip_4.mp4"


def test_a_writable_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LibraryError, match="is a file, not a folder"):
        check_writable(tmp_path / "file")
    with pytest.raises(LibraryError, match="part of its path is a file"):
        check_writable(tmp_path / "file" / "deeper")
    with pytest.raises(LibraryError, match="too long"):
        check_writable(tmp_path / ("x" * 300))
    with pytest.raises(LibraryError, match="nearly full"):
        check_writable(tmp_path, min_free_bytes=shutil.disk_usage(tmp_path).total + 1)
