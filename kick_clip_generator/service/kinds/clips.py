"""Clips by hand: spans that somebody chose, or new ends of a clip that is there."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from kick_clip_generator.core.errors import MediaError
from kick_clip_generator.core.records import CutMode, Highlight, Span
from kick_clip_generator.jobs.job import Job
from kick_clip_generator.jobs.parts import Workers
from kick_clip_generator.service.bounds import move_bounds
from kick_clip_generator.service.cut import cut_highlights
from kick_clip_generator.service.generate import GenerateRequest
from kick_clip_generator.service.kinds import JobPayload, check_later, link_for, note_source, settings_of

LONGEST_S = 360_000.0


class Moment(JobPayload):
    """A span of the stream, in seconds."""

    start_s: float = Field(ge=0, le=LONGEST_S)
    end_s: float = Field(gt=0, le=LONGEST_S)

    @model_validator(mode="after")
    def _forward(self) -> Moment:
        if self.start_s >= self.end_s:
            raise ValueError("the start must lie before the end")
        return self


class NewEnds(JobPayload):
    """A clip and its new ends; None leaves one where it is."""

    clip_id: int
    start_s: float | None = Field(None, ge=0, le=LONGEST_S)
    end_s: float | None = Field(None, ge=0, le=LONGEST_S)


class Payload(JobPayload):
    """
    Attributes:
        moments: to cut, or
        move: the clip whose ends move.
        url: empty for that of the job's project, or of the clip.
        output: a folder to write the clips flat into; None for the usual one.
    """

    moments: list[Moment] = Field(default_factory=list, max_length=100)
    move: NewEnds | None = None
    url: str = ""
    cut: CutMode | None = None
    output: Path | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_both(self) -> Payload:
        if bool(self.moments) == (self.move is not None):
            raise ValueError("give either moments to cut or a clip whose ends move")
        return self


def run(job: Job, payload: Payload) -> dict[str, Any]:
    settings = settings_of(job, payload.settings)
    if payload.move is not None:
        done = move_bounds(
            payload.move.clip_id,
            payload.move.start_s,
            payload.move.end_s,
            library=job.library,
            settings=settings,
            url=payload.url or None,
            cut=payload.cut,
            progress=job.progress,
            cancel=job.cancel,
        )
        check_later(job, [done.clip.id])
        return {"clips": [done.clip.id], "notes": [done.note] if done.note else []}
    spans = [Span(moment.start_s, moment.end_s) for moment in payload.moments]
    made = cut_highlights(
        GenerateRequest.checked(
            url=link_for(job, payload.url), settings=settings, cut=payload.cut, output=payload.output
        ),
        [Highlight(kind="both", score=0.0, peak_s=(s.start_s + s.end_s) / 2, event=s, clip=s) for s in spans],
        library=job.library,
        settings=settings,
        progress=job.progress,
        cancel=job.cancel,
        crew=Workers(job, partial(note_source, job)),
    )
    if not made.files:
        raise MediaError(" ".join(made.notes) or "The clip could not be made.")
    job.library.remove_parts(job.ticket.id)
    check_later(job, [file.id for file in made.files])
    return {"clips": [file.id for file in made.files], "notes": list(made.notes)}
