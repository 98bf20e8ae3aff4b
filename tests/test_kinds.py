"""Each kind of job, done by a worker in this process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from origin import Origin, make_hls
from streams import make_stream

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.doorbell import Doorbell
from kick_clip_generator.jobs.worker import Worker
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import KINDS, JobInfo, JobQuery
from kick_clip_generator.media.probe import probe
from kick_clip_generator.service import jobs
from kick_clip_generator.service.kinds import handler

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    make_hls(folder, make_stream(folder / "match.mp4", duration_s=50, events=[(20, 28)]), "mpegts", renditions=["160p"])
    return folder


@pytest.fixture
def settings() -> Settings:
    return Settings(allowed_private_hosts="127.0.0.1", max_retries=0)


@pytest.fixture
def library(settings: Settings) -> Iterator[Library]:
    with Library.open(settings.database_path) as opened:
        yield opened


def worked_off(library: Library, settings: Settings, job: JobInfo) -> JobInfo:
    """What became of a job, and of all that it put in the line."""
    with Doorbell(settings, "secret") as bell:
        worker = Worker(library, settings, bell, {kind: handler(kind) for kind in KINDS}, kinds=KINDS)
        worker.drain()
        worker.run()
    return library.job(job.id)


def test_clips_by_hand_their_new_ends_a_compound_and_an_export(
    library: Library, settings: Settings, folder: Path, tmp_path: Path
) -> None:
    project = library.add_project(str(folder / "match.mp4"))
    made = worked_off(library, settings, jobs.start_clips(library, settings, project.id, [(5, 9), (20, 28)]))
    assert made.status == "done" and len(made.result["clips"]) == 2, made.error
    (checked,) = library.jobs(JobQuery(kind="verify")).items
    assert checked.status == "done"
    first, second = (library.clip(n) for n in made.result["clips"])
    assert (first.span.start_s, first.span.end_s, first.checked) == (5, 9, "sound")

    moved = worked_off(library, settings, jobs.start_move(library, settings, first.id, None, 11.0))
    assert moved.status == "done" and library.clip(first.id).span.end_s == 11.0, moved.error
    late = worked_off(library, settings, jobs.start_move(library, settings, first.id, None, 999.0))
    assert late.status == "failed" and "beyond the end" in str(late.error)

    parts = [{"clip_id": second.id}, {"clip_id": first.id, "start_s": 1.0, "end_s": 3.0}]
    job = jobs.start_compound(library, settings, project.id, parts, name="Best ../of")
    joined = worked_off(library, settings, job)
    assert joined.status == "done", joined.error
    compound = library.compound(joined.result["compound_id"])
    assert compound.project_id == project.id and compound.file.path.parent.name == "compounds"
    assert abs(probe(compound.file.path).duration_s - 10.0) < 0.3
    assert [part["clip_id"] for part in compound.body["parts"]] == [second.id, first.id]

    payload = {"everything": True, "into": str(tmp_path / "out"), "name": "{id}"}
    sent = worked_off(library, settings, jobs.start_export_batch(library, settings, payload))
    assert sent.status == "done" and len(list((tmp_path / "out").iterdir())) == 2, sent.error
    nothing = worked_off(library, settings, jobs.start_export(library, settings, {"min_stars": 5}))
    assert nothing.status == "failed" and nothing.attempts == 1, "it would fail again"

    jobs.delete_project(library, settings, project.id)
    assert not any(path.exists() for path in (first.path, second.path, compound.file.path))
    assert (folder / "match.mp4").exists(), "the user's own file"


def test_a_download_is_kept_with_its_project_and_goes_with_it(
    library: Library, settings: Settings, folder: Path
) -> None:
    with Origin(folder) as origin:
        project = library.add_project(origin.url("/master.m3u8"))
        kept = worked_off(library, settings, jobs.start_download(library, settings, project.id, "720p"))
        assert kept.status == "done", kept.error
        video = library.project(project.id).video
        assert video is not None and abs(probe(video.path).duration_s - 50) < 1
        again = worked_off(library, settings, jobs.start_download(library, settings, project.id))
        assert again.status == "done" and library.project(project.id).video is not None
        assert len(list(settings.download_dir.iterdir())) == 1
    jobs.delete_project(library, settings, project.id)
    assert not video.path.exists() and not list(settings.download_dir.iterdir())


def test_the_daily_jobs(library: Library, settings: Settings) -> None:
    jobs.start_daily(library, settings)
    for job in library.jobs().items:
        done = worked_off(library, settings, job)
        assert done.status == "done", done.error_detail


def test_what_may_pass_is_tried_again_later(
    library: Library, settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kick_clip_generator.library.job_queue.BACKOFF_S", 0.2)
    with Origin(folder) as origin:
        project = library.add_project(origin.url("/master.m3u8"))
        origin.fail("/master.m3u8", 503)
        job = jobs.start_analysis(library, settings, project.id)
        waits = worked_off(library, settings, job)
        assert (waits.status, waits.shown_status, waits.attempts) == ("queued", "Pending", 1)
        assert waits.error and waits.error_detail
        origin.heal()
        time.sleep(0.3)
        assert worked_off(library, settings, job).status == "done"
        source_id = library.project(project.id).source_id
        assert source_id is not None and library.source(source_id).kind == "hls"
