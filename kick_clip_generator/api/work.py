"""What is done to a project by jobs: kept, analysed, cut by hand, exported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from kick_clip_generator.api.access import client_of
from kick_clip_generator.api.body import Body
from kick_clip_generator.api.context import Context, RowId
from kick_clip_generator.api.jobs import JobOut, job_answer
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.core.errors import ConflictError, InputError
from kick_clip_generator.core.records import CutMode
from kick_clip_generator.service.access import place_of_client
from kick_clip_generator.service.jobs import (
    start_analysis,
    start_clips,
    start_download,
    start_export,
    start_export_batch,
)

_Seconds = Annotated[float, Field(ge=0, le=360000)]
_ClipIds = Annotated[list[Annotated[int, Field(ge=1, le=2**31 - 1)]], Field(max_length=500)]

# What a job may want otherwise than the settings say; names and ranges are those of the settings.
_Changes = Annotated[
    dict[str, str | float | bool | None],
    Field(max_length=30, description="Other settings for this job, e.g. {'quality': '720p'}; see the settings sheet."),
]


class Analyze(Body):
    """All of it is optional; what is left out is as the settings say."""

    segmentation_mode: Literal["v1", "v2"] | None = Field(
        None, description="v2 looks for moments that stand out, v1 ranks scenes."
    )
    generate_clips: bool = Field(True, description="Whether clips are cut, or highlights listed alone.")
    kinds: Literal["all", "audio", "video", "speech", "chat"] | None = Field(
        None, description="Whose highlights are wanted."
    )
    start_minute: float | None = Field(None, ge=0, le=6000)
    end_minute: float | None = Field(None, gt=0, le=6000)
    max_audio_clips: int | None = Field(None, ge=1, le=25)
    max_video_clips: int | None = Field(None, ge=1, le=25)
    min_gap: float | None = Field(None, ge=0, le=3600, description="Seconds between the peaks of two highlights.")
    clip_duration: float | None = Field(None, ge=1, le=600, description="Fixed length of clips, in seconds.")
    cut: CutMode | None = None
    settings: _Changes = Field(default_factory=dict)

    @model_validator(mode="after")
    def _forward(self) -> Analyze:
        if self.end_minute is not None and (self.start_minute or 0.0) >= self.end_minute:
            raise ValueError("the start should lie before the end")
        return self


class Download(Body):
    quality: str = Field(
        "", pattern=r"^(best|[1-9]\d{2,3}p?)?$", description="best, or a height such as 720p; DOWNLOAD_QUALITY without."
    )


class ByHand(Body):
    """A clip that somebody chose."""

    start: _Seconds = Field(description="In seconds of the stream.")
    end: _Seconds
    cut: CutMode | None = None
    captions: bool = Field(False, description="Whether words are drawn into the picture, which needs a transcript.")

    @model_validator(mode="after")
    def _forward(self) -> ByHand:
        if self.start >= self.end:
            raise ValueError("the start should lie before the end")
        return self


class Export(Body):
    clip_ids: _ClipIds = Field(min_length=1)
    to: str = Field("folder", max_length=100, description="The name of a destination.")
    into: str = Field("", max_length=1000, description="Where there; its default without.")
    name: str = Field("", max_length=500, description="A template of file names; EXPORT_NAME without.")


class ExportBatch(Body):
    min_stars: int | None = Field(None, ge=1, le=5, description="Only clips with at least so many stars.")
    to: str = Field("folder", max_length=100)
    into: str = Field("", max_length=1000)
    name: str = Field("", max_length=500)


def work_router(context: Context) -> APIRouter:
    """The routes under `/api/projects/{id}` that start jobs; all answer 202 with the job."""
    router = APIRouter(prefix="/api/projects/{project_id:int}", tags=["work"], responses=PROBLEMS)
    library, settings = context.library, context.settings

    @router.post("/analyze", status_code=202, response_model=JobOut)
    def analyze(project_id: RowId, body: Analyze | None = None) -> Response:
        """Find highlights, and cut them; a project has one analysis at a time."""
        wanted = body or Analyze.model_validate({})
        options = {
            "mode": wanted.segmentation_mode,
            "make_clips": wanted.generate_clips,
            "kinds": wanted.kinds,
            "start_minute": wanted.start_minute,
            "end_minute": wanted.end_minute,
            "max_audio_clips": wanted.max_audio_clips,
            "max_video_clips": wanted.max_video_clips,
            "min_gap_s": wanted.min_gap,
            "clip_duration_s": wanted.clip_duration,
            "cut": wanted.cut,
        }
        return job_answer(start_analysis(library, settings, project_id, options, changes=wanted.settings), 202)

    @router.post("/download", status_code=202, response_model=JobOut)
    def download(project_id: RowId, body: Download | None = None) -> Response:
        """Keep the stream in `DOWNLOAD_DIR`; it goes on where it stopped."""
        return job_answer(start_download(library, settings, project_id, body.quality if body else ""), 202)

    @router.post("/clips", status_code=202, response_model=JobOut)
    def clip_by_hand(project_id: RowId, body: ByHand) -> Response:
        """Cut a span that somebody chose."""
        if body.captions:
            library.project(project_id)
            raise ConflictError("There is no transcript of this stream to take captions from; cut it without captions.")
        return job_answer(start_clips(library, settings, project_id, [(body.start, body.end)], cut=body.cut), 202)

    @router.post("/exports", status_code=202, response_model=JobOut)
    def export(project_id: RowId, body: Export, request: Request) -> Response:
        """Send some clips of a project to a destination."""
        source_id = library.project(project_id).source_id
        for clip_id in set(body.clip_ids):
            if library.clip(clip_id).source_id != source_id:
                raise InputError(f"Clip {clip_id} is none of project {project_id}.")
        payload = {"clip_ids": body.clip_ids, **_where(body, request)}
        return job_answer(start_export(library, settings, payload, project_id=project_id), 202)

    @router.post("/exports/batch", status_code=202, response_model=JobOut)
    def export_all(project_id: RowId, body: ExportBatch, request: Request) -> Response:
        """Send all clips of a project, or those with enough stars, to a destination."""
        source_id = library.project(project_id).source_id
        if source_id is None:
            raise ConflictError("This project has no clips yet; analyze it first.")
        payload = {
            "source": library.source(source_id).url,
            "min_stars": body.min_stars,
            **_where(body, request),
        }
        return job_answer(start_export_batch(library, settings, payload, project_id=project_id), 202)

    def _where(body: Export | ExportBatch, request: Request) -> dict[str, Any]:
        into = place_of_client(body.into, client_of(request.scope), settings, below=settings.export_dir)
        return {"to": body.to, "into": "" if into is None else str(into), "name": body.name}

    return router
