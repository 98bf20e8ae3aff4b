"""Clips that were published are decoded whole."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.kinds import JobPayload
from kick_clip_generator.service.verify import verify


class Payload(JobPayload):
    clip_ids: list[int] = Field(min_length=1, max_length=10_000)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    verdicts = verify(job.library, job.settings, payload.clip_ids, progress=job.progress, cancel=job.cancel)
    return {"clips": payload.clip_ids, "checked": len(verdicts)}
