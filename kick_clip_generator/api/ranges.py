"""`Range` of what is no file (RFC 9110, section 14): one span of bytes, or all."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.datastructures import Headers

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class RangeWanted:
    """What to answer: the status, and the bytes `[first, stop)`."""

    status: int
    first: int
    stop: int


def wanted_range(headers: Headers, size: int, etag: str) -> RangeWanted:
    """What a request asks for; several spans at once, and nonsense, are answered by all, as the RFC allows."""
    if etag in [tag.strip().removeprefix("W/") for tag in headers.get("if-none-match", "").split(",")]:
        return RangeWanted(304, 0, 0)
    asked = _RANGE.fullmatch(headers.get("range", "").strip().lower())
    if asked is None or not (asked[1] or asked[2]) or headers.get("if-range", etag) != etag:
        return RangeWanted(200, 0, size)
    if not asked[1]:
        first, stop = max(0, size - int(asked[2])), size
    else:
        first, stop = int(asked[1]), min(size, int(asked[2]) + 1) if asked[2] else size
        if asked[2] and int(asked[2]) < first:
            return RangeWanted(200, 0, size)
    return RangeWanted(206, first, stop) if first < stop else RangeWanted(416, 0, 0)


def ranged_headers(wanted: RangeWanted, size: int, etag: str) -> dict[str, str]:
    """The headers of the answer."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    match wanted.status:
        case 206:
            headers["Content-Range"] = f"bytes {wanted.first}-{wanted.stop - 1}/{size}"
        case 416:
            headers["Content-Range"] = f"bytes */{size}"
    if wanted.status in (200, 206):
        headers["Content-Length"] = str(wanted.stop - wanted.first)
    return headers
