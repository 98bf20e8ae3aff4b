"""A project's stream is kept in `DOWNLOAD_DIR`."""

from __future__ import annotations

import hashlib
import shutil
from typing import Any

from pydantic import Field

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.jobs.job import Job
from kick_clip_generator.jobs.parts import remembered_source
from kick_clip_generator.library.files import safe_name
from kick_clip_generator.pipeline.download import Kept, download, parts_folder
from kick_clip_generator.service.kinds import JobPayload, link_for, note_source


class Payload(JobPayload):
    """
    Attributes:
        quality: "best" or a height such as 720p; empty for `DOWNLOAD_QUALITY`.
    """

    quality: str = Field("", max_length=10)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    library, project_id = job.library, job.info.project_id
    if project_id is None:
        raise InputError("A download belongs to a project; say to which.")
    settings = with_changes(job.settings, quality=payload.quality or job.settings.download_quality)
    source = remembered_source(job, link_for(job, ""), settings, job.cancel)
    note_source(job, source)
    key = _key(source.title, source.fingerprint, settings)

    def keep(stretch: Kept) -> None:
        detail = {"key": key, "name": stretch.name, "size": stretch.size, "offset_s": stretch.offset_s}
        library.record_window(job.ticket, stretch.n, "done", 0, None, detail)
        job.checkpoint()

    before = library.project(project_id).video
    kept = download(
        source,
        key=key,
        known={n: row.detail for n, row in library.windows(job.ticket.id).items() if row.detail.get("key") == key},
        keep=keep,
        settings=settings,
        progress=job.progress,
        cancel=job.cancel,
    )
    library.set_project_video(project_id, kept)
    if before is not None and before.path != kept.path:
        before.path.unlink(missing_ok=True)
    shutil.rmtree(parts_folder(settings, key), ignore_errors=True)
    return {"file": kept.path.name, "size": kept.size}


def _key(title: str, fingerprint: str, settings: Settings) -> str:
    digest = hashlib.sha256(f"{fingerprint}|{settings.quality}".encode()).hexdigest()[:16]
    return f"{safe_name(title)[:60]}.{digest}"
