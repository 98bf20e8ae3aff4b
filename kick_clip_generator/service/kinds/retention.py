"""The clean-up: what is in nobody's way stays, what was dropped long ago goes."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.kinds import JobPayload
from kick_clip_generator.service.retention import retain


class Payload(JobPayload):
    pass


def run(job: Job, payload: Payload) -> dict[str, Any]:
    done = retain(job.library, job.settings, progress=job.progress, cancel=job.cancel)
    return {"notes": list(done.notes), "removed": len(done.removed), "freed": done.freed}
