"""Clips leave the library under good names, see `service/export.py`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.export import ChosenClip, ExportRequest, export_clips
from kick_clip_generator.service.kinds import JobPayload


class Payload(JobPayload):
    """As `ExportRequest`.

    Attributes:
        source: the link or path whose clips are meant.
    """

    clip_ids: list[int] = Field(default_factory=list, max_length=10_000)
    min_stars: int | None = Field(None, ge=1, le=5)
    source: str = ""
    everything: bool = False
    to: str = "folder"
    into: str = ""
    name: str = Field("", max_length=500)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    request = ExportRequest(
        clips=[ChosenClip(number) for number in payload.clip_ids],
        min_stars=payload.min_stars,
        source=payload.source,
        everything=payload.everything,
        to=payload.to,
        into=payload.into,
        name=payload.name,
    )
    done = export_clips(request, library=job.library, settings=job.settings, progress=job.progress, cancel=job.cancel)
    return {
        "files": [{"name": file.name, "where": file.where, "clips": list(file.clip_ids)} for file in done.sent],
        "notes": [*done.failures, *done.notes],
    }
