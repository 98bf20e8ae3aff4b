"""Room on the disk: who goes first, who stays, and files and rows brought together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from library_facts import a_clip, a_file, a_source
from sqlalchemy import text

from kick_clip_generator.core.errors import Cancelled
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.library.files import part_path
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.thumbnails import thumbnail_path, write_thumbnail
from kick_clip_generator.service.folders import set_label
from kick_clip_generator.service.reconcile import reconcile
from kick_clip_generator.service.retention import GB, retain

SIZE = 1000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(output_dir=tmp_path / "output_clips", database_path=tmp_path / "clips.db")


@pytest.fixture
def clips(library: Library, settings: Settings) -> list[int]:
    """Ten clips of 1,000 bytes, each a day older than the next, the newest as old as one."""
    source_id = library.record_source(a_source())
    ids = []
    for n in range(10):
        record = a_clip(source_id, settings.output_dir / "stream" / f"{n}.mp4", start_s=60.0 * n)
        a_file(record.file.path, bytes([n]) * SIZE)
        ids.append(library.record_clip(a_again(record)))
    with library.writing() as session:
        for n, clip_id in enumerate(ids):
            age = {"age": (10 - n) * 86400.0, "id": clip_id}
            session.execute(text("UPDATE clip SET created_at = created_at - :age WHERE id = :id"), age)
    return ids


def a_again(record):  # type: ignore[no-untyped-def]
    """The record with the file as it is now."""
    from dataclasses import replace

    return replace(record, file=a_file(record.file.path, record.file.path.read_bytes()))


def left(library: Library, ids: list[int]) -> list[int]:
    """Positions of the clips that are still there, each with its file."""
    present = {clip.id: clip for clip in library.clips().items}
    assert all(clip.path.is_file() for clip in present.values())
    return [n for n, clip_id in enumerate(ids) if clip_id in present]


def test_without_a_limit_nothing_goes(library: Library, settings: Settings, clips: list[int]) -> None:
    assert retain(library, settings).removed == ()
    assert left(library, clips) == list(range(10))


def test_the_oldest_go_until_the_quota_is_met(library: Library, settings: Settings, clips: list[int]) -> None:
    write_thumbnail(library.clip(clips[0]).path, b"picture")
    first = library.clip(clips[0]).path
    done = retain(library, with_changes(settings, quota_gb=7.5 * SIZE / GB))
    assert done.removed == tuple(clips[:3])
    assert left(library, clips) == list(range(3, 10))
    assert not first.exists() and not thumbnail_path(first).exists()
    assert done.freed == 3 * SIZE
    assert "3 clips" in done.notes[0]
    assert retain(library, with_changes(settings, quota_gb=7.5 * SIZE / GB)).removed == ()


def test_rated_kept_moved_and_changed_clips_stay(library: Library, settings: Settings, clips: list[int]) -> None:
    library.rate(clips[0], 1, None)
    set_label(library, settings, clips[1], "keep")
    with library.writing() as session:
        session.execute(text("UPDATE clip SET moved_at = 1.0 WHERE id = :id"), {"id": clips[2]})
    library.clip(clips[3]).path.write_bytes(b"edited by hand")
    library.rate(clips[4], None, None)  # a skip is no judgement
    done = retain(library, with_changes(settings, quota_gb=1 / GB))
    assert done.removed == tuple(clips[4:])
    assert left(library, clips) == [0, 1, 2, 3]
    assert "more than QUOTA_GB" in done.notes[-1]
    assert library.rating_counts().by_stars[1] == 1


def test_old_clips_go_after_their_days(library: Library, settings: Settings, clips: list[int]) -> None:
    assert retain(library, with_changes(settings, retention_days=6.5)).removed == tuple(clips[:4])


def test_new_clips_and_downloads_stay(library: Library, settings: Settings, tmp_path: Path) -> None:
    source_id = library.record_source(a_source())
    clip_id = library.record_clip(a_clip(source_id, settings.output_dir / "stream" / "new.mp4"))
    project = library.add_project("https://example.com/vod")
    video = a_file(tmp_path / "kept.mp4", b"x" * 5000)
    library.set_project_video(project.id, video)
    library.record_compound(project.id, "best", a_file(tmp_path / "best.mp4", b"y" * 300), 3.0, {})
    assert library.usage().total == 5300 + library.clip(clip_id).size
    done = retain(library, with_changes(settings, quota_gb=1 / GB))
    assert done.removed == ()
    assert video.path.is_file()


def test_a_rehearsal_deletes_nothing(library: Library, settings: Settings, clips: list[int]) -> None:
    done = retain(library, with_changes(settings, quota_gb=1 / GB), dry_run=True)
    assert len(done.removed) == 10
    assert "would be" in done.notes[0]
    assert left(library, clips) == list(range(10))


def test_a_cancelled_clean_up_stops(library: Library, settings: Settings, clips: list[int]) -> None:
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        retain(library, with_changes(settings, quota_gb=1 / GB), progress=lambda _: cancel.cancel(), cancel=cancel)
    assert left(library, clips) == list(range(1, 10))


def test_files_and_rows_are_brought_together(library: Library, settings: Settings, clips: list[int]) -> None:
    folder = settings.output_dir / "stream"
    dead = folder / "3.mp4.999999.{}.part".format(part_path(folder / "x").name.split(".")[-2].split("-")[0] + "-1")
    dead.write_bytes(b"half")
    living = part_path(folder / "4.mp4")
    living.write_bytes(b"half")
    stranger = folder / "holiday.mp4"
    stranger.write_bytes(b"mine")
    (folder / "notes.txt").write_text("mine")
    library.clip(clips[5]).path.unlink()
    os.symlink(stranger, folder / "link.mp4")
    found = reconcile(library, settings)
    assert found.swept == (dead,)
    assert living.exists()
    assert found.strays == (stranger,)
    assert found.missing == (clips[5],)
    assert stranger.read_bytes() == b"mine"
