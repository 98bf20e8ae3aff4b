"""Ratings become a model."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.kinds import JobPayload


class Payload(JobPayload):
    pass


def run(job: Job, payload: Payload) -> dict[str, Any]:
    # scikit-learn is for those who train.
    from kick_clip_generator.pipeline.retrain import retrain_models

    done = retrain_models(job.library, job.settings)
    return {"version": done.number, "promoted": done.promoted, "notes": [done.reason], "metrics": done.metrics}
