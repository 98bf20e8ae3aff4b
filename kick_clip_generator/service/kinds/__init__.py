"""What workers do: one file a kind, each with a `Payload`, checked when the job is put in the line and when it begins,
and `run(job, payload)`, which calls what the command line calls, too."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.jobs.job import Handler, Job
from kick_clip_generator.library.records import KINDS
from kick_clip_generator.service.projects import link_of

# Settings that change what is found and made; places, programs and who may be reached are the server's.
CHANGEABLE = frozenset(
    {
        "chunk_duration",
        "chunk_overlap",
        "max_stream_duration",
        "frame_skip",
        "analysis_height",
        "analysis_effort",
        "signals",
        "quality",
        "download_quality",
        "live_from",
        "segmentation_mode",
        "highlight_mode",
        "scene_threshold",
        "clip_duration",
        "min_clip_seconds",
        "max_clip_seconds",
        "min_gap",
        "top_n_highlights",
        "min_audio_score",
        "min_video_score",
        "keep_best",
        "cut",
        "export_name",
    }
)


# Who waits for a page goes first, then what was asked for in passing.
ASKED, IN_PASSING = 0, -10


class JobPayload(BaseModel):
    """What a job is about; JSON that is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def checked_payload(kind: str, payload: Mapping[str, Any]) -> JobPayload:
    """Raises:
    InputError: for an unknown kind, or a payload that it does not take.
    """
    if kind not in KINDS:
        raise InputError(f"There are no jobs of the kind {kind!r}; there are {', '.join(KINDS)}.")
    try:
        found: JobPayload = _module(kind).Payload.model_validate(dict(payload))
        return found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "payload"
        raise InputError(f"{where} is not valid for a job of the kind {kind}: {first['msg']}.") from None


def settings_of(job: Job, changes: Mapping[str, Any]) -> Settings:
    """The worker's settings with what a job wants otherwise.

    Raises:
        InputError: when a value is out of its range, or may not be chosen for a job.
    """
    check_changes(changes)
    return with_changes(job.settings, **changes) if changes else job.settings


def check_changes(changes: Mapping[str, Any]) -> None:
    """Raises:
    InputError: when one of the settings may not be chosen for a job.
    """
    fixed = sorted(set(changes) - CHANGEABLE)
    if fixed:
        raise InputError(f"{fixed[0].upper()} cannot be chosen for a job; set it where the server starts.")


def link_for(job: Job, url: str) -> str:
    """What a job is to open: the link in its payload, else its project's, signed as it may be.

    Raises:
        InputError: when it has neither.
    """
    if url:
        return url
    if job.info.project_id is None:
        raise InputError("No stream was given; paste a link or the path of a file.")
    return link_of(job.library, job.library.project(job.info.project_id))


def note_source(job: Job, source: Source) -> None:
    """Tell a job's project what its link led to."""
    if job.info.project_id is not None:
        job.library.attach_source(job.info.project_id, job.library.record_source(source))


def check_later(job: Job, clip_ids: Sequence[int]) -> None:
    """Have new clips decoded whole when nothing else is to do."""
    if clip_ids:
        payload = {"clip_ids": list(clip_ids)}
        job.library.enqueue("verify", payload, project_id=job.info.project_id, priority=IN_PASSING)


def handler(kind: str) -> Handler:
    """Does jobs of a kind. Its module is imported with the first of them: no worker loads what it does not use."""

    def run(job: Job) -> Mapping[str, Any] | None:
        result: Mapping[str, Any] | None = _module(kind).run(job, checked_payload(kind, job.info.payload))
        return result

    return run


def _module(kind: str) -> ModuleType:
    return importlib.import_module(f"kick_clip_generator.service.kinds.{kind}")
