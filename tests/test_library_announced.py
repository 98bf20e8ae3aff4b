"""Kills between a clip's file and its row, and files that come and go."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

from library_facts import a_clip, a_source

from kick_clip_generator.library import migrate
from kick_clip_generator.library.folders import scan_folders
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import ClipQuery

PUBLISHER = """
import os, sys
sys.path.insert(0, sys.argv[4])
from dataclasses import replace
from pathlib import Path
from library_facts import a_clip
from kick_clip_generator.library.files import part_file, publish
from kick_clip_generator.library.library import Library

library = Library.open(sys.argv[1])
path = Path(sys.argv[2])
record = a_clip(1, path.with_name("shape.mp4"), start_s=42.0)
record.file.path.unlink()
with part_file(path) as part:
    part.write_bytes(b"a clip")
    def announce(file):
        library.announce_clip(replace(record, file=file, model_version=None, quality="720p"))
        if sys.argv[3] == "before":
            os._exit(9)
    publish(part, path, announce=announce)
    os._exit(9)
"""


def killed(place: Path | str, path: Path, when: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    root = Path(migrate.__file__).parents[2]
    argv = [sys.executable, "-c", PUBLISHER, str(place), str(path), when, str(root / "tests")]
    assert subprocess.run(argv, cwd=root, check=False).returncode == 9


def test_a_clip_whose_process_was_killed_is_adopted(
    library: Library, library_place: Path | str, tmp_path: Path
) -> None:
    source_id = library.record_source(a_source())
    path = tmp_path / "output_clips" / "stream" / "1.mp4"
    killed(library_place, path, "after")
    assert library.clips().items == ()
    scan = scan_folders(library, tmp_path / "output_clips", drop_days=30)
    (clip,) = library.clips().items
    assert scan.adopted == [clip.id]
    assert (clip.source_id, clip.path, clip.quality, clip.highlight.event.start_s) == (source_id, path, "720p", 42.0)
    library.rate(clip.id, 4, None)
    (sample,) = library.training_samples()
    assert sample.row["rms_mean"] == 0.5 and math.isnan(sample.row["motion_mean"])
    assert library.announced_clips() == []
    assert scan_folders(library, tmp_path / "output_clips", drop_days=30).adopted == []


def test_a_clip_that_was_never_published_is_forgotten(
    library: Library, library_place: Path | str, tmp_path: Path
) -> None:
    library.record_source(a_source())
    path = tmp_path / "output_clips" / "stream" / "1.mp4"
    killed(library_place, path, "before")
    assert len(library.announced_clips()) == 1
    assert scan_folders(library, tmp_path / "output_clips", drop_days=30).adopted == []
    assert library.announced_clips() == []


def test_a_living_process_is_left_to_finish(library: Library, tmp_path: Path) -> None:
    source_id = library.record_source(a_source())
    record = a_clip(source_id, tmp_path / "1.mp4")
    library.announce_clip(record)
    assert scan_folders(library, tmp_path, drop_days=30).adopted == []
    library.record_clip(record)
    assert library.announced_clips() == []


def test_a_clip_of_a_deleted_source_is_not_adopted(library: Library, library_place: Path | str, tmp_path: Path) -> None:
    library.record_source(a_source())
    project = library.add_project("https://example.com/vod")
    library.attach_source(project.id, 1)
    path = tmp_path / "output_clips" / "stream" / "1.mp4"
    killed(library_place, path, "after")
    library.delete_project(project.id)
    assert scan_folders(library, tmp_path / "output_clips", drop_days=30).adopted == []
    assert library.announced_clips() == [] and path.exists()


def test_missing_files_are_flagged_until_they_are_back(library: Library, tmp_path: Path) -> None:
    source_id = library.record_source(a_source())
    ids = [library.record_clip(a_clip(source_id, tmp_path / "clips" / f"{n}.mp4", start_s=60.0 * n)) for n in range(3)]
    path = library.clip(ids[1]).path
    away = path.rename(tmp_path / "away.mp4")

    def flags() -> list[bool]:
        scan_folders(library, tmp_path / "clips", drop_days=30)
        return [clip.missing for clip in library.clips(ClipQuery(sort="oldest")).items]

    assert flags() == [False, True, False]
    assert flags() == [False, True, False]
    away.rename(path)
    assert flags() == [False, False, False]
