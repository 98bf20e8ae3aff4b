"""Jobs as users know them: what is wrong is said at once, and what is deleted is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from library_facts import a_clip, a_source

from kick_clip_generator.core.errors import ClipGeneratorError, ConflictError, InputError, NotFoundError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import KINDS, JobQuery
from kick_clip_generator.service import jobs
from kick_clip_generator.service.kinds import checked_payload


@pytest.fixture
def settings(library: Library, library_place: Path | str, tmp_path: Path) -> Settings:
    place = {"database_url": library_place} if isinstance(library_place, str) else {"database_path": library_place}
    return Settings(**place, output_dir=tmp_path / "output_clips")  # type: ignore[arg-type]


def test_an_analysis_keeps_the_link_out_of_its_row(library: Library, settings: Settings) -> None:
    project = library.add_project("https://example.com/vod.m3u8")
    job = jobs.start_analysis(library, settings, project.id, {"kinds": "audio"}, changes={"quality": "720p"})
    assert (job.kind, job.status, job.project_id, job.shown_status) == ("analyze", "queued", project.id, "Queued")
    assert "example" not in str(job.payload)
    again = jobs.start_analysis(library, settings, project.id, {"kinds": "video"})
    assert (again.id, again.payload) == (job.id, job.payload), "a project has one analysis at a time"


@pytest.mark.parametrize(
    ("options", "changes", "sentence"),
    [
        ({"max_audio_clips": 99}, {}, "max_audio"),
        ({"start_minute": 5, "end_minute": 2}, {}, "before the end"),
        ({"shell": "rm"}, {}, "shell"),
        ({}, {"output_dir": "/etc"}, "OUTPUT_DIR"),
        ({}, {"allowed_private_hosts": "10.0.0.1"}, "ALLOWED_PRIVATE_HOSTS"),
        ({}, {"quality": "huge"}, "QUALITY"),
    ],
)
def test_what_is_wrong_is_said_at_once(
    library: Library, settings: Settings, options: dict[str, Any], changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ClipGeneratorError, match=sentence):
        jobs.start_analysis(library, settings, None, options, url="https://example.com/a.mp4", changes=changes)
    assert library.jobs().items == ()


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("clips", {}),
        ("clips", {"moments": [{"start_s": 5, "end_s": 5}]}),
        ("clips", {"moments": [{"start_s": -1, "end_s": 5}]}),
        ("compound", {"parts": []}),
        ("compound", {"parts": [{"clip_id": 1}], "crossfade_s": 99}),
        ("export", {"min_stars": 6}),
        ("export", {"clip_ids": ["../../etc/passwd"]}),
        ("download", {"path": "/etc/passwd"}),
        ("transcriibe", {}),
    ],
)
def test_a_payload_is_checked_at_the_door(kind: str, payload: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        checked_payload(kind, payload)


def test_every_kind_has_its_code() -> None:
    from kick_clip_generator.service.kinds import _module

    assert all(callable(_module(kind).run) and _module(kind).Payload for kind in KINDS)


def test_unknown_projects_and_clips(library: Library, settings: Settings) -> None:
    for call in (
        lambda: jobs.start_analysis(library, settings, 7),
        lambda: jobs.start_download(library, settings, 7),
        lambda: jobs.start_clips(library, settings, 7, [(0, 5)]),
        lambda: jobs.start_compound(library, settings, 7, [{"clip_id": 1}]),
        lambda: jobs.delete_project(library, settings, 7),
        lambda: jobs.delete_job(library, settings, 7),
        lambda: jobs.retry_job(library, settings, 7),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert jobs.find_job(library, "7") is None and jobs.find_job(library, "; drop table") is None


def test_cancel_retry_delete(library: Library, settings: Settings) -> None:
    job = jobs.start(library, settings, "retrain", {})
    assert jobs.cancel_job(library, job.id).shown_status == "Cancelled"
    assert jobs.retry_job(library, settings, job.id).status == "queued"
    with pytest.raises(ConflictError):
        jobs.retry_job(library, settings, job.id)
    jobs.delete_job(library, settings, job.id)
    assert jobs.find_job(library, str(job.id)) is None


def test_what_is_daily_is_put_in_the_line_once(library: Library, settings: Settings) -> None:
    jobs.start_daily(library, settings)
    first = library.jobs().items
    assert sorted(job.kind for job in first) == ["backup", "retention"]
    for job in first:
        library.request_cancel(job.id)
    jobs.start_daily(library, settings)
    assert [job.status for job in library.jobs().items] == ["cancelled"] * 2


def test_a_project_goes_with_all_it_has(library: Library, settings: Settings) -> None:
    folder = settings.clips_dir / "A stream"
    source_id = library.record_source(a_source())
    clip = library.clip(library.record_clip(a_clip(source_id, folder / "one.mp4")))
    (folder / "debug").mkdir()
    (folder / "debug" / "debug_v2.json").write_text("{}")
    (folder / "highlights_20261121_101010.json").write_text("{}")
    project = library.add_project("https://example.com/vod.m3u8")
    library.attach_source(project.id, source_id)
    job = jobs.start_analysis(library, settings, project.id)
    assert clip.path.is_file()
    jobs.delete_project(library, settings, project.id)
    assert not folder.exists() and settings.clips_dir.exists()
    assert jobs.find_job(library, str(job.id)) is None
    assert library.jobs(JobQuery(project_id=project.id)).items == ()
    with pytest.raises(NotFoundError):
        library.project(project.id)


def test_a_folder_with_other_files_stays(library: Library, settings: Settings) -> None:
    folder = settings.clips_dir / "A stream"
    source_id = library.record_source(a_source())
    library.record_clip(a_clip(source_id, folder / "one.mp4"))
    (folder / "mine.mp4").write_bytes(b"mine")
    project = library.add_project("https://example.com/vod.m3u8")
    library.attach_source(project.id, source_id)
    jobs.delete_project(library, settings, project.id)
    assert [path.name for path in folder.iterdir()] == ["mine.mp4"]
