"""Clips: pages of them, their media, their stars and labels, other ends and names."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, model_validator

from kick_clip_generator.api.body import Body
from kick_clip_generator.api.context import After, Context, Id, Limit, RowId, Time
from kick_clip_generator.api.jobs import JobOut
from kick_clip_generator.api.media import MEDIA_ANSWERS, encodable, file_response
from kick_clip_generator.api.problems import PROBLEMS
from kick_clip_generator.core.records import CutMode, Kind
from kick_clip_generator.library.records import (
    MAX_STARS,
    MIN_STARS,
    Clip,
    ClipQuery,
    ClipSort,
    Label,
)
from kick_clip_generator.library.thumbnails import thumbnail_path
from kick_clip_generator.service.clips import delete_clip, rename_clip
from kick_clip_generator.service.folders import set_label
from kick_clip_generator.service.job_words import job_document
from kick_clip_generator.service.jobs import start_move
from kick_clip_generator.service.rating import RateOutcome, rate

CLIP_TYPES = {".mp4": "video/mp4", ".m4a": "audio/mp4"}
JPEG_TYPES = {".jpg": "image/jpeg"}
JPEG_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "The thumbnail."},
    304: {"description": "It is still what `If-None-Match` says."},
}


class ReasonOut(BaseModel):
    signal: str
    contribution: float
    text: str


class ClipOut(BaseModel):
    """A clip; where it lies on the disk is nobody's business."""

    id: int
    name: str = Field(description="The file's name.")
    source: str
    source_id: int
    title: str
    file_kind: Kind = Field(description="Whose clip it is; `kind` is whose signals found the moment.")
    stars: int | None = Field(ge=MIN_STARS, le=MAX_STARS)
    skipped: bool
    kept: bool
    dropped: bool
    moved: bool = Field(description="Somebody chose its ends by hand.")
    checked: str = Field(description="pending, sound or damaged: whether every frame was decoded.")
    check_note: str = Field(description="What a check found, or why it was cut in a stricter way; may be empty.")
    size_bytes: int
    sha256: str
    cut: CutMode
    created_at: float = Field(description="UNIX seconds.")
    start: float = Field(description="In seconds of the stream, as the file shows it.")
    end: float
    event_start: float
    event_end: float
    peak: float
    score: float
    kind: Kind
    reasons: list[ReasonOut]


class ClipPage(BaseModel):
    clips: list[ClipOut]
    after: str | None = Field(description="Begins the next page; null at the end.")


class ClipChange(Body):
    """What is left out stays as it is."""

    start: float | None = Field(None, ge=0, le=360000, description="In seconds of the stream.")
    end: float | None = Field(None, gt=0, le=360000)
    name: str | None = Field(None, min_length=1, max_length=200, description="The file's name; its ending stays.")
    cut: CutMode | None = Field(None, description="How new ends are cut; as it was cut before without.")
    url: str | None = Field(
        None, max_length=8192, description="Where its source is now: a link that was signed anew, or a moved file."
    )

    @model_validator(mode="after")
    def _something(self) -> ClipChange:
        if self.start is None and self.end is None and self.name is None:
            raise ValueError("give a start, an end or a name")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("the start should lie before the end")
        return self


class ClipChanged(BaseModel):
    clip: ClipOut
    job: JobOut | None = Field(description="Cuts the new ends; null when they stay.")


class Stars(Body):
    stars: int | None = Field(
        ge=MIN_STARS, le=MAX_STARS, description="1 to 5; null skips the clip, which is no rating."
    )


class Labelled(BaseModel):
    """A clip after somebody judged it, and what that led to."""

    clip: ClipOut
    message: str = Field(description="One sentence: when the models are trained next, or how that went.")
    ratings: int = Field(description="Ratings and labels in all.")


def clips_router(context: Context) -> APIRouter:
    """The routes under `/api/clips`."""
    router = APIRouter(prefix="/api/clips", tags=["clips"], responses=PROBLEMS)
    library, settings = context.library, context.settings

    @router.get("", response_model=ClipPage)
    def list_clips(
        text: Annotated[str, Query(max_length=200)] = "",
        kind: Kind | None = None,
        min_stars: Annotated[int | None, Query(ge=MIN_STARS, le=MAX_STARS)] = None,
        max_stars: Annotated[int | None, Query(ge=MIN_STARS, le=MAX_STARS)] = None,
        unrated: bool = False,
        skipped: bool | None = None,
        kept: bool | None = None,
        dropped: Annotated[bool | None, Query(description="Left out: those that are not.")] = False,
        channel: Annotated[str | None, Query(max_length=200, description="Its exact name.")] = None,
        project_id: Id = None,
        source_id: Id = None,
        made_after: Time = None,
        made_before: Time = None,
        sort: ClipSort = "newest",
        after: After = None,
        limit: Limit = 50,
    ) -> Response:
        """One page of clips; `after` begins the next one and is null at the end."""
        return page_of_clips(
            context,
            ClipQuery(
                text=text,
                kind=kind,
                min_stars=min_stars,
                max_stars=max_stars,
                unrated=unrated,
                skipped=skipped,
                kept=kept,
                dropped=dropped,
                channel=channel,
                project_id=project_id,
                source_id=source_id,
                made_after=made_after,
                made_before=made_before,
                sort=sort,
                after=after,
                limit=limit,
            ),
        )

    @router.get("/{clip_id:int}", response_model=ClipOut)
    def show_clip(clip_id: RowId) -> Response:
        """One clip."""
        return JSONResponse(clip_document(library.clip(clip_id)))

    @router.patch("/{clip_id:int}", response_model=ClipChanged, responses={202: {"model": ClipChanged}})
    def change_clip(clip_id: RowId, change: ClipChange) -> Response:
        """Give a clip another name at once, other ends by a job that cuts it anew from its source (202)."""
        if change.name is not None:
            rename_clip(library, clip_id, change.name)
        job = None
        if change.start is not None or change.end is not None:
            job = start_move(library, settings, clip_id, change.start, change.end, cut=change.cut, url=change.url or "")
        clip = clip_document(library.clip(clip_id))
        return JSONResponse({"clip": clip, "job": job and job_document(job)}, 202 if job else 200)

    @router.delete("/{clip_id:int}", status_code=204)
    def remove_clip(clip_id: RowId) -> Response:
        """Delete a clip and its file; what its rating taught stays."""
        delete_clip(library, clip_id)
        return Response(status_code=204)

    @router.post("/{clip_id:int}/rating", response_model=Labelled)
    def rate_clip(clip_id: RowId, body: Stars) -> Response:
        """Give a clip stars, or skip it."""
        return _labelled(context, clip_id, rate(library, settings, clip_id, body.stars))

    @router.post("/{clip_id:int}/keep", response_model=Labelled)
    def keep_clip(clip_id: RowId) -> Response:
        """Keep a clip: its file moves to `keep/`, and it counts as a good one."""
        return label(clip_id, "keep")

    @router.post("/{clip_id:int}/drop", response_model=Labelled)
    def drop_clip(clip_id: RowId) -> Response:
        """Drop a clip: its file moves to `drop/` and is deleted after `DROP_DAYS`, and it counts as a bad one."""
        return label(clip_id, "drop")

    @router.delete("/{clip_id:int}/label", response_model=Labelled)
    def take_label_back(clip_id: RowId) -> Response:
        """Neither keep nor drop a clip any more; its file moves back."""
        return label(clip_id, None)

    def label(clip_id: int, wanted: Label | None) -> Response:
        return _labelled(context, clip_id, set_label(library, settings, clip_id, wanted).outcome)

    @router.api_route("/{clip_id:int}/video", methods=["GET"], response_class=Response, responses=MEDIA_ANSWERS)
    @router.api_route("/{clip_id:int}/video", methods=["HEAD"], include_in_schema=False)
    def clip_video(clip_id: RowId, request: Request) -> Response:
        """The media for a player; answers `Range`."""
        return clip_media(library.clip(clip_id), request)

    @router.api_route("/{clip_id:int}/download", methods=["GET"], response_class=Response, responses=MEDIA_ANSWERS)
    @router.api_route("/{clip_id:int}/download", methods=["HEAD"], include_in_schema=False)
    def clip_download(clip_id: RowId, request: Request) -> Response:
        """The media as a file to save."""
        clip = library.clip(clip_id)
        return clip_media(clip, request, save_as=clip.name)

    @router.get("/{clip_id:int}/thumbnail", response_class=Response, responses=JPEG_ANSWERS)
    def clip_thumbnail(clip_id: RowId, request: Request) -> Response:
        """A picture of the moment."""
        return thumbnail(library.clip(clip_id), request)

    return router


def page_of_clips(context: Context, query: ClipQuery) -> Response:
    """A `ClipPage`, written without checking each clip against the schema, which takes longer than finding them."""
    page = context.library.clips(query)
    return JSONResponse({"clips": [clip_document(clip) for clip in page.items], "after": page.after})


def clip_document(clip: Clip) -> dict[str, Any]:
    """A `ClipOut`."""
    return {
        "id": clip.id,
        "name": encodable(clip.name),
        "source": encodable(clip.source_url),
        "source_id": clip.source_id,
        "title": encodable(clip.source_title),
        "file_kind": clip.kind,
        "stars": clip.stars,
        "skipped": clip.skipped,
        "kept": clip.kept,
        "dropped": clip.dropped,
        "moved": clip.moved,
        "checked": clip.checked,
        "check_note": encodable(clip.check_note),
        "size_bytes": clip.size,
        "sha256": clip.sha256,
        "cut": clip.cut,
        "created_at": clip.created_at,
        **clip.highlight.to_dict(),
        # What the file shows: its ends may have been moved.
        "start": round(clip.span.start_s, 3),
        "end": round(clip.span.end_s, 3),
    }


def clip_media(clip: Clip, request: Request, *, save_as: str | None = None) -> Response:
    gone = f"The file of clip {clip.id} has been moved or deleted; generate it again."
    return file_response(clip.path, request, gone=gone, types=CLIP_TYPES, save_as=save_as)


def thumbnail(clip: Clip, request: Request) -> Response:
    gone = f"Clip {clip.id} has no thumbnail."
    return file_response(thumbnail_path(clip.path), request, gone=gone, types=JPEG_TYPES)


def _labelled(context: Context, clip_id: int, outcome: RateOutcome) -> Response:
    clip = clip_document(context.library.clip(clip_id))
    return JSONResponse({"clip": clip, "message": outcome.message, "ratings": outcome.total})
