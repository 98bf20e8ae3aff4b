"""Clips over HTTP: lists and media. A row names a file; no request ever does."""

from __future__ import annotations

import os
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.records import Kind
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import MAX_STARS, MIN_STARS, Clip, ClipQuery, ClipSort

ClipId = Annotated[int, Path(ge=1, le=2**63 - 1)]

MEDIA_TYPES = {".mp4": "video/mp4", ".m4a": "audio/mp4"}
# Asked again each time, answered by 304: a clip that was cut anew under the same row must not play from the cache.
HEADERS = {"Cache-Control": "private, no-cache", "Cross-Origin-Resource-Policy": "same-origin"}


def clips_router(library: Library) -> APIRouter:
    """The routes under `/api/clips`."""
    router = APIRouter(prefix="/api/clips")

    @router.get("")
    def list_clips(
        text: Annotated[str, Query(max_length=200)] = "",
        kind: Kind | None = None,
        min_stars: Annotated[int | None, Query(ge=MIN_STARS, le=MAX_STARS)] = None,
        unrated: bool = False,
        sort: ClipSort = "newest",
        after: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> JSONResponse:
        """One page of clips; `after` begins the next one and is null at the end."""
        query = ClipQuery(
            text=text, kind=kind, min_stars=min_stars, unrated=unrated, sort=sort, after=after, limit=limit
        )
        try:
            page = library.clips(query)
        except InputError as error:
            raise HTTPException(422, str(error)) from error
        return JSONResponse({"clips": [clip_document(clip) for clip in page.items], "after": page.after})

    @router.api_route("/{clip_id}/video", methods=["GET", "HEAD"])
    def clip_video(clip_id: ClipId, request: Request) -> Response:
        """The media for a player; answers `Range`."""
        clip = _found(library, clip_id)
        return _media(clip, request, {})

    @router.api_route("/{clip_id}/download", methods=["GET", "HEAD"])
    def clip_download(clip_id: ClipId, request: Request) -> Response:
        """The media as a file to save."""
        clip = _found(library, clip_id)
        return _media(clip, request, {"Content-Disposition": attachment(clip.name)})

    return router


def clip_document(clip: Clip) -> dict[str, Any]:
    """A clip as JSON; where it lies on the disk is nobody's business."""
    return {
        "id": clip.id,
        "name": _encodable(clip.name),
        "source": _encodable(clip.source_url),
        "title": _encodable(clip.source_title),
        "file_kind": clip.kind,
        "stars": clip.stars,
        "skipped": clip.skipped,
        "kept": clip.kept,
        "dropped": clip.dropped,
        "moved": clip.moved,
        "size_bytes": clip.size,
        "sha256": clip.sha256,
        "cut": clip.cut,
        **clip.highlight.to_dict(),
        # What the file shows: its ends may have been moved.
        "start": round(clip.span.start_s, 3),
        "end": round(clip.span.end_s, 3),
    }


def attachment(name: str) -> str:
    """A `Content-Disposition` for any file name (RFC 6266): plain ASCII for old clients, the whole name for others."""
    clean = _encodable(name)
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\%/' else "_" for c in clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def _encodable(text: str) -> str:
    """File names may hold bytes that are no UTF-8; neither JSON nor headers take those."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _found(library: Library, clip_id: int) -> Clip:
    try:
        return library.clip(clip_id)
    except LibraryError as error:
        raise HTTPException(404, str(error)) from error


def _media(clip: Clip, request: Request, headers: dict[str, str]) -> Response:
    try:
        stat = os.stat(clip.path)
        there = clip.path.is_file()
    except (OSError, ValueError):
        there = False
    media_type = MEDIA_TYPES.get(clip.path.suffix.lower())
    if not there or media_type is None:
        raise HTTPException(404, f"The file of clip {clip.id} has been moved or deleted; generate it again.")
    response = FileResponse(clip.path, media_type=media_type, stat_result=stat, headers={**HEADERS, **headers})
    etag = response.headers["etag"]
    if "range" not in request.headers and etag in _listed(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={**HEADERS, "ETag": etag})
    return response


def _listed(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
