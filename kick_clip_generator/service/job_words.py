"""A job as the API, its events and its webhooks tell it."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.library.records import JobInfo

# Where things lie on the disk is for those who sit at it.
_PLACES = frozenset({"folder", "path", "paths"})


def job_document(job: JobInfo) -> dict[str, Any]:
    """A job as JSON. What it was told to do stays here: a link in it may be signed."""
    return {
        "id": job.id,
        "kind": job.kind,
        "status": job.shown_status,
        "state": job.status,
        "step": job.step,
        "progress": round(job.progress, 4),
        "detail": job.detail,
        "attempts": job.attempts,
        "max_attempts": job.max_attempts,
        "priority": job.priority,
        "cancel_requested": job.cancel_requested,
        "error": job.error,
        "result": {name: value for name, value in job.result.items() if name not in _PLACES},
        "project_id": job.project_id,
        "parent_id": job.parent_id,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "not_before": job.not_before,
    }
