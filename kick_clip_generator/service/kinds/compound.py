"""Several clips become one file of a project, see `service/compound.py`."""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Span
from kick_clip_generator.jobs.job import Job
from kick_clip_generator.service.compound import compound_clips
from kick_clip_generator.service.export import ChosenClip
from kick_clip_generator.service.kinds import JobPayload


class CompoundPart(JobPayload):
    """A clip, or a stretch of it, in seconds from its start."""

    clip_id: int
    start_s: float | None = Field(None, ge=0)
    end_s: float | None = Field(None, gt=0)


class Payload(JobPayload):
    parts: list[CompoundPart] = Field(min_length=1, max_length=500)
    name: str = Field("", max_length=200)
    crossfade_s: float = Field(0.0, ge=0, le=10)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    if job.info.project_id is None:
        raise InputError("A compound belongs to a project; say to which.")
    done = compound_clips(
        job.library,
        job.settings,
        job.info.project_id,
        [ChosenClip(part.clip_id, _span(job, part)) for part in payload.parts],
        name=payload.name,
        crossfade_s=payload.crossfade_s,
        progress=job.progress,
        cancel=job.cancel,
    )
    return {"compound_id": done.id, "notes": [done.note] if done.note else []}


def _span(job: Job, part: CompoundPart) -> Span | None:
    if part.start_s is None and part.end_s is None:
        return None
    start_s = part.start_s or 0.0
    end_s = part.end_s if part.end_s is not None else job.library.clip(part.clip_id).span.duration_s
    if not (math.isfinite(end_s) and start_s < end_s):
        raise InputError(f"The part of clip {part.clip_id} must begin before it ends.")
    return Span(start_s, end_s)
