"""Jobs as users and the API know them: started, cancelled, retried, deleted. Workers do them, see `kinds/`."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.jobs.doorbell import ring
from kick_clip_generator.library.feature_cache import FeatureCache
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import JobInfo, JobQuery
from kick_clip_generator.library.thumbnails import delete_thumbnail
from kick_clip_generator.pipeline.download import parts_folder
from kick_clip_generator.service.export import SUFFIXES
from kick_clip_generator.service.generate import DEBUG_FOLDER
from kick_clip_generator.service.kinds import ASKED, IN_PASSING, check_changes, checked_payload
from kick_clip_generator.service.kinds.analyze import Payload as AnalyzePayload
from kick_clip_generator.service.kinds.analyze import request_of
from kick_clip_generator.service.projects import forget_link
from kick_clip_generator.service.secrets import secret_key

log = logging.getLogger(__name__)

# How long a deletion waits for a worker to let go.
LET_GO_S = 6.0


def start(
    library: Library,
    settings: Settings,
    kind: str,
    payload: Mapping[str, Any],
    *,
    project_id: int | None = None,
    idem_key: str | None = None,
    priority: int = ASKED,
) -> JobInfo:
    """Put a job in the line and wake a worker.

    Args:
        kind: one of `records.KINDS`.
        payload: as the kind's `Payload`.
        idem_key: while a job of this key goes on, it is returned instead.

    Raises:
        InputError: for an unknown kind, or a payload that it does not take.
        NotFoundError: when there is no such project.
    """
    checked = checked_payload(kind, payload)
    job = library.enqueue(
        kind, checked.model_dump(mode="json"), idem_key=idem_key, project_id=project_id, priority=priority
    )
    ring(settings, secret_key(library, settings), kind)
    return job


def start_analysis(
    library: Library,
    settings: Settings,
    project_id: int | None,
    options: Mapping[str, Any] | None = None,
    *,
    url: str = "",
    demo: bool = False,
    changes: Mapping[str, Any] | None = None,
    live: bool = False,
) -> JobInfo:
    """Find highlights of a stream, and cut them unless `make_clips` is false. A project has one analysis at a time.

    Args:
        project_id: whose link is opened; None with `url` or `demo`.
        options: of `GenerateRequest.checked`.
        changes: settings for this job alone, by name in lower case.
        live: the stream is known to run; else the job finds out and goes to the workers that have time for it.

    Raises:
        InputError: when an option or a setting is out of its range.
    """
    changes, options = dict(changes or {}), {k: v for k, v in (options or {}).items() if v is not None}
    if project_id is not None:
        folder = library.project(project_id).folder
        if folder is not None and options.get("make_clips", True):
            options.setdefault("output", str(folder))
    check_changes(changes)
    payload = checked_payload("analyze", {"url": url, "demo": demo, "options": options, "settings": changes})
    assert isinstance(payload, AnalyzePayload)
    # What is wrong with it is said now, not by the worker.
    request_of(payload, with_changes(settings, **changes), url or "a link")
    kind = "live" if live else "analyze"
    key = f"analyze:project:{project_id}" if project_id is not None else "analyze:demo" if demo else None
    return start(library, settings, kind, payload.model_dump(), project_id=project_id, idem_key=key)


def start_clips(
    library: Library,
    settings: Settings,
    project_id: int,
    moments: Sequence[tuple[float, float]],
    *,
    cut: CutMode | None = None,
) -> JobInfo:
    """Cut spans of a project's stream, in seconds."""
    folder = library.project(project_id).folder
    payload = {
        "moments": [{"start_s": start_s, "end_s": end_s} for start_s, end_s in moments],
        "cut": cut,
        "output": None if folder is None else str(folder),
    }
    return start(library, settings, "clips", payload, project_id=project_id)


def start_move(
    library: Library,
    settings: Settings,
    clip_id: int,
    start_s: float | None,
    end_s: float | None,
    *,
    cut: CutMode | None = None,
    url: str = "",
) -> JobInfo:
    """Give a clip other ends, in seconds of its stream.

    Args:
        url: where its source is now, if elsewhere: see `move_bounds`.
    """
    project = library.project_of_source(library.clip(clip_id).source_id)
    payload = {"move": {"clip_id": clip_id, "start_s": start_s, "end_s": end_s}, "cut": cut, "url": url}
    # One after another: two at once would write one file.
    return start(
        library, settings, "clips", payload, project_id=project.id if project else None, idem_key=f"move:{clip_id}"
    )


def start_download(library: Library, settings: Settings, project_id: int, quality: str = "") -> JobInfo:
    """Keep a project's stream in `DOWNLOAD_DIR`.

    Args:
        quality: "best" or a height such as 720p; empty for `DOWNLOAD_QUALITY`.
    """
    library.project(project_id)
    return start(
        library,
        settings,
        "download",
        {"quality": quality},
        project_id=project_id,
        idem_key=f"download:project:{project_id}",
    )


def start_export(
    library: Library, settings: Settings, payload: Mapping[str, Any], *, project_id: int | None = None
) -> JobInfo:
    """Send clips to a destination; the payload as `kinds.export.Payload`."""
    return start(library, settings, "export", payload, project_id=project_id)


def start_export_batch(
    library: Library, settings: Settings, payload: Mapping[str, Any], *, project_id: int | None = None
) -> JobInfo:
    """Send many clips to a destination; the same batch that goes on already is returned."""
    digest = hashlib.sha256(json.dumps(payload, sort_keys=True, default=str).encode()).hexdigest()[:24]
    return start(
        library,
        settings,
        "export_batch",
        payload,
        project_id=project_id,
        idem_key=f"export_batch:{project_id}:{digest}",
    )


def start_compound(
    library: Library,
    settings: Settings,
    project_id: int,
    parts: Sequence[Mapping[str, Any]],
    *,
    name: str = "",
    crossfade_s: float = 0.0,
) -> JobInfo:
    """Join clips in one file of a project; the parts as `kinds.compound.CompoundPart`."""
    library.project(project_id)
    payload = {"parts": [dict(part) for part in parts], "name": name, "crossfade_s": crossfade_s}
    return start(library, settings, "compound", payload, project_id=project_id)


def start_retrain(library: Library, settings: Settings) -> JobInfo:
    """Train on all ratings; one training at a time."""
    return start(library, settings, "retrain", {}, idem_key="retrain")


def start_daily(library: Library, settings: Settings) -> None:
    """What is to be done once a day: the back-up, and the clean-up behind it. Called now and then."""
    day = time.strftime("%Y-%m-%d")
    for kind in ("backup", "retention"):
        key = f"{kind}:{day}"
        # An ended job of a key would be opened again.
        if not library.has_job(key):
            start(library, settings, kind, {}, idem_key=key, priority=IN_PASSING)


def find_job(library: Library, number: str) -> JobInfo | None:
    """The job of a number that somebody sent, None when there is none (any more)."""
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        return None
    try:
        return library.job(int(number))
    except NotFoundError:
        return None


def cancel_job(library: Library, job_id: int) -> JobInfo:
    """Cancel a job; one that runs ends within five seconds.

    Raises:
        NotFoundError: when there is none of that number.
    """
    return library.request_cancel(job_id)


def retry_job(library: Library, settings: Settings, job_id: int) -> JobInfo:
    """Try a job that failed or was cancelled again; what was finished is kept.

    Raises:
        NotFoundError: when there is none of that number.
        ConflictError: when it has not ended, or is done.
    """
    job = library.retry(job_id)
    ring(settings, secret_key(library, settings), job.kind)
    return job


def delete_job(library: Library, settings: Settings, job_id: int) -> None:
    """Forget a job; one that runs is cancelled first. With a download goes what it has kept, whole or in part.

    Raises:
        NotFoundError: when there is none of that number.
    """
    job = library.request_cancel(job_id)
    _wait_for_end(library, [job])
    if job.kind == "download":
        _forget_download(library, settings, job)
    with suppress(NotFoundError):
        library.delete_job(job_id)


def _forget_download(library: Library, settings: Settings, job: JobInfo) -> None:
    for key in {str(row.detail["key"]) for row in library.windows(job.id).values() if "key" in row.detail}:
        shutil.rmtree(parts_folder(settings, key), ignore_errors=True)
    with suppress(NotFoundError):
        video = None if job.project_id is None else library.project(job.project_id).video
        if video is not None and job.project_id is not None:
            library.set_project_video(job.project_id, None)
            _delete(video.path)


def delete_project(library: Library, settings: Settings, project_id: int) -> None:
    """Forget a project with its jobs, source, clips, compounds and kept download, rows and files.

    Raises:
        NotFoundError: when there is none of that number.
    """
    project = library.project(project_id)
    _cancel_all(library, project_id)
    source = None if project.source_id is None else library.source(project.source_id)
    files = library.delete_project(project_id)
    forget_link(library, project_id)
    if source is not None and library.project_of_source(source.id) is None:
        cache = FeatureCache(settings.feature_dir)
        for key in library.forget_measurements(source.url):
            cache.forget(key)
    folders: set[Path] = set()
    for path in files:
        _delete(path)
        delete_thumbnail(path)
        folders |= {path.parent, path.parent.parent} if path.parent.name in _OWN_FOLDERS else {path.parent}
    ours = settings.clips_dir.absolute()
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        # A folder that the user chose may hold more.
        if folder == project.folder or not folder.is_relative_to(ours):
            continue
        with suppress(OSError):
            if not any(path.suffix.lower() in SUFFIXES for path in folder.rglob("*")):
                _remove_notes(folder)
            folder.rmdir()


def _delete(path: Path) -> None:
    for doomed in (path, path.with_name(path.name + ".part")):
        try:
            doomed.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s could not be deleted: %s", doomed, error)


_OWN_FOLDERS = ("keep", "drop", "compounds")


def _remove_notes(folder: Path) -> None:
    """What an analysis wrote beside its clips, once they are gone."""
    shutil.rmtree(folder / DEBUG_FOLDER, ignore_errors=True)
    for path in folder.glob("*highlights*.json"):
        path.unlink()


def _cancel_all(library: Library, project_id: int) -> None:
    active: list[JobInfo] = []
    for status in ("queued", "running", "waiting"):
        page = library.jobs(JobQuery(status=status, project_id=project_id, limit=500))
        active += [library.request_cancel(job.id) for job in page.items]
    _wait_for_end(library, active)


def _wait_for_end(library: Library, jobs: Sequence[JobInfo]) -> None:
    """Until their workers have let go, so that nothing is written behind a deletion; a dead one holds nothing."""
    end_s = time.monotonic() + LET_GO_S
    for job in jobs:
        with suppress(NotFoundError):
            while not library.job(job.id).ended and time.monotonic() < end_s:
                time.sleep(0.1)
