"""Files of the library over HTTP: a row names the file, no request ever does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

# By the file's suffix; another one is nothing that this program makes, and is not served.
MEDIA_TYPES: Mapping[str, str] = {
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".mov": "video/quicktime",
    ".ts": "video/mp2t",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".jpg": "image/jpeg",
}
# Asked again each time, answered by 304: a clip that was cut anew under the same row must not play from the cache.
HEADERS = {"Cache-Control": "private, no-cache"}

MEDIA_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"content": {"video/mp4": {}, "audio/mp4": {}}, "description": "The whole file."},
    206: {"content": {"video/mp4": {}, "audio/mp4": {}}, "description": "The part that `Range` asks for."},
    304: {"description": "It is still what `If-None-Match` says."},
}


def file_response(
    path: Path, request: Request, *, gone: str, types: Mapping[str, str] = MEDIA_TYPES, save_as: str | None = None
) -> Response:
    """A file with `ETag`, `Range` and the right type.

    Args:
        gone: the sentence when there is no such file.
        types: what may be served, by suffix.
        save_as: offer it to be saved under this name.
    """
    media_type = types.get(path.suffix.lower())
    try:
        stat = os.stat(path)
        there = media_type is not None and path.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise HTTPException(404, gone)
    headers = {**HEADERS, **({"Content-Disposition": attachment(save_as)} if save_as is not None else {})}
    response = FileResponse(path, media_type=media_type, stat_result=stat, headers=headers)
    etag = response.headers["etag"]
    if "range" not in request.headers and etag in _listed(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers={**HEADERS, "ETag": etag})
    return response


def attachment(name: str) -> str:
    """A `Content-Disposition` for any file name (RFC 6266): plain ASCII for old clients, the whole name for others."""
    clean = encodable(name)
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\%/' else "_" for c in clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def encodable(text: str) -> str:
    """File names may hold bytes that are no UTF-8; neither JSON nor headers take those."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _listed(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]
