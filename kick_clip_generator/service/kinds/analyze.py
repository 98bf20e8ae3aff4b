"""A link becomes highlights and clips: what `main.py --url X --generate-clips` does, spread over the workers."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from kick_clip_generator.jobs.job import Job
from kick_clip_generator.jobs.parts import Workers
from kick_clip_generator.service.demo import demo_source
from kick_clip_generator.service.generate import GenerateRequest, GenerateResult, generate_highlights
from kick_clip_generator.service.kinds import JobPayload, check_later, link_for, note_source, settings_of

# What `GenerateRequest.checked` takes beside the link and the settings.
OPTIONS = frozenset(inspect.signature(GenerateRequest.checked).parameters) - {"url", "settings"}


class Payload(JobPayload):
    """
    Attributes:
        url: empty for the demo stream, or that of the job's project.
        options: of `GenerateRequest.checked`.
        settings: other values than those of the server, by name in lower case.
    """

    url: str = ""
    demo: bool = False
    options: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("options")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(value) - OPTIONS)
        if unknown:
            raise ValueError(f"{unknown[0]} is not an option of an analysis")
        return value


def request_of(payload: Payload, settings: Any, url: str) -> GenerateRequest:
    """Raises:
    InputError: when an option is out of its range.
    """
    options = dict(payload.options)
    for name in ("output", "chat"):
        if options.get(name) is not None:
            options[name] = Path(options[name])
    return GenerateRequest.checked(url=url, settings=settings, **options)


def run(job: Job, payload: Payload) -> dict[str, Any]:
    settings = settings_of(job, payload.settings)
    if payload.demo:
        url = str(demo_source(settings, job.progress, job.cancel))
        # For the parts.
        job.info.payload["url"] = url
    else:
        url = link_for(job, payload.url)

    result = generate_highlights(
        request_of(payload, settings, url),
        library=job.library,
        settings=settings,
        progress=job.progress,
        cancel=job.cancel,
        crew=Workers(job, partial(note_source, job)),
    )
    job.library.remove_parts(job.ticket.id)
    check_later(job, [clip.id for clip in result.clips])
    return summary(result)


def summary(result: GenerateResult) -> dict[str, Any]:
    """What a page or a script wants to know of a run that is done."""
    return {
        "title": result.source.title,
        "url": result.source.url,
        "clips": [clip.id for clip in result.clips],
        "clips_s": sum(clip.highlight.clip.duration_s for clip in result.clips),
        "highlights": len(result.detection.merged),
        "folder": None if result.folder is None else str(result.folder),
        "notes": list(result.notes),
    }
