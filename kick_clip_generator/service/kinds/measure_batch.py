"""A part of an analysis: up to twenty windows, see `jobs/parts.py`."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.jobs.parts import measure_part, remembered_source
from kick_clip_generator.media.commands import Pictures
from kick_clip_generator.pipeline.passes import Pass
from kick_clip_generator.service.kinds import JobPayload, link_for, settings_of


class Payload(JobPayload):
    url: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)
    identity: str
    pictures: Pictures
    extended: bool
    windows: list[int] = Field(min_length=1, max_length=100)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    settings = settings_of(job, payload.settings)
    source = remembered_source(job, link_for(job, payload.url), settings, job.cancel)
    what = Pass(payload.pictures, payload.extended)
    return measure_part(job, source, settings, what=what, key=payload.identity, numbers=payload.windows)
