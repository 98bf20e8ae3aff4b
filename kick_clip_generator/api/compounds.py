"""Compound clips: several clips, or stretches of them, in one file."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, model_validator

from kick_clip_generator.api.body import Body
from kick_clip_generator.api.clips import CLIP_TYPES
from kick_clip_generator.api.context import Context, RowId
from kick_clip_generator.api.jobs import JobOut, job_answer
from kick_clip_generator.api.media import MEDIA_ANSWERS, encodable, file_response
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.library.compounds import Compound
from kick_clip_generator.service.compound import delete_compound
from kick_clip_generator.service.jobs import start_compound


class PartIn(Body):
    clip_id: int = Field(ge=1, le=2**31 - 1)
    start: float | None = Field(None, ge=0, le=360000, description="In seconds from the clip's beginning.")
    end: float | None = Field(None, gt=0, le=360000)

    @model_validator(mode="after")
    def _forward(self) -> PartIn:
        if self.end is not None and (self.start or 0.0) >= self.end:
            raise ValueError("the start should lie before the end")
        return self


class NewCompound(Body):
    parts: list[PartIn] = Field(min_length=1, max_length=50, description="In their order.")
    name: str = Field("", max_length=200, description="Of the file; the project's title without.")
    crossfade: float = Field(0.0, ge=0, le=10, description="Seconds that each part fades into the next.")


class PartOut(BaseModel):
    clip_id: int
    start: float
    end: float | None = Field(description="Null for the end of the clip.")
    at: float = Field(description="Where it begins in the compound; there is a chapter.")


class CompoundOut(BaseModel):
    id: int
    project_id: int
    name: str
    duration: float
    size_bytes: int
    sha256: str
    parts: list[PartOut]
    created_at: float = Field(description="UNIX seconds.")


class Compounds(BaseModel):
    compounds: list[CompoundOut]


def compounds_router(context: Context) -> APIRouter:
    """The routes of compound clips."""
    router = APIRouter(prefix="/api", tags=["compounds"], responses=PROBLEMS)
    library, settings = context.library, context.settings

    @router.post("/projects/{project_id:int}/compound-clips", status_code=202, response_model=JobOut)
    def make(project_id: RowId, body: NewCompound) -> Response:
        """Join clips in one file; the job's result names it."""
        for part in body.parts:
            library.clip(part.clip_id)
        parts = [{"clip_id": part.clip_id, "start_s": part.start, "end_s": part.end} for part in body.parts]
        job = start_compound(library, settings, project_id, parts, name=body.name, crossfade_s=body.crossfade)
        return job_answer(job, 202)

    @router.get("/projects/{project_id:int}/compound-clips", response_model=Compounds)
    def list_compounds(project_id: RowId) -> Response:
        """Those of a project, the newest first."""
        library.project(project_id)
        return JSONResponse({"compounds": [_document(compound) for compound in library.compounds(project_id)]})

    @router.get("/compound-clips/{compound_id:int}", response_model=CompoundOut)
    def show(compound_id: RowId) -> Response:
        """One compound clip."""
        return JSONResponse(_document(library.compound(compound_id)))

    @router.delete("/compound-clips/{compound_id:int}", status_code=204)
    def remove(compound_id: RowId) -> Response:
        """Delete a compound clip and its file; the clips in it stay."""
        delete_compound(library, compound_id)
        return Response(status_code=204)

    @router.api_route("/compound-clips/{compound_id:int}/video", methods=["GET"], responses=MEDIA_ANSWERS)
    @router.api_route("/compound-clips/{compound_id:int}/video", methods=["HEAD"], include_in_schema=False)
    def video(compound_id: RowId, request: Request) -> Response:
        """The media for a player; answers `Range`."""
        return _media(library.compound(compound_id), request)

    @router.api_route("/compound-clips/{compound_id:int}/download", methods=["GET"], responses=MEDIA_ANSWERS)
    @router.api_route("/compound-clips/{compound_id:int}/download", methods=["HEAD"], include_in_schema=False)
    def download(compound_id: RowId, request: Request) -> Response:
        """The media as a file to save."""
        compound = library.compound(compound_id)
        return _media(compound, request, save_as=compound.file.path.name)

    return router


def _media(compound: Compound, request: Request, *, save_as: str | None = None) -> Response:
    gone = f"The file of compound clip {compound.id} has been moved or deleted; make it again."
    return file_response(compound.file.path, request, gone=gone, types=CLIP_TYPES, save_as=save_as)


def _document(compound: Compound) -> dict[str, Any]:
    return {
        "id": compound.id,
        "project_id": compound.project_id,
        "name": encodable(compound.name),
        "duration": compound.duration_s,
        "size_bytes": compound.file.size,
        "sha256": compound.file.sha256,
        "parts": [
            {"clip_id": part["clip_id"], "start": part["start_s"], "end": part["end_s"], "at": part["at_s"]}
            for part in compound.body.get("parts", ())
        ],
        "created_at": compound.created_at,
    }
