"""The daily back-up of the library."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.backup import back_up
from kick_clip_generator.service.kinds import JobPayload


class Payload(JobPayload):
    pass


def run(job: Job, payload: Payload) -> dict[str, Any]:
    return {"file": str(back_up(job.library, job.settings).path)}
