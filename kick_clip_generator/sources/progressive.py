"""One media file on a web server: MP4, WebM or MKV that is read in parts."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import BinaryIO, cast
from urllib.parse import urlsplit

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.core.records import Source
from kick_clip_generator.media.probe import probe
from kick_clip_generator.sources.inquiry import Inquiry
from kick_clip_generator.sources.local import fingerprint, rendition_of, require_streams
from kick_clip_generator.sources.net.http import Reply
from kick_clip_generator.sources.range_file import RangeFile
from kick_clip_generator.sources.safety import identity, public_url, redact, title_of

_PAGE = re.compile(rb"\s*<(!doctype|!--|html|head|body|\?xml|script|title|div|p)", re.IGNORECASE)

# Many servers send what they do not know as text/plain, so the bytes have a say.
_TEXT_TYPE = re.compile(r"\s*(text/|application/(json|xml|javascript))", re.IGNORECASE)
_CONTROL = frozenset(range(0x20)) - frozenset(b"\t\n\r\f\x1b")


def resolve_progressive(inquiry: Inquiry) -> Source | None:
    """Any web address that answers with a media file.

    Raises:
        SourceError: when it is a page, no media, or on a server that cannot send parts of a file.
    """
    if not inquiry.is_web:
        return None
    beginning = inquiry.beginning
    shown = redact(inquiry.url)
    check_media(beginning, shown)
    file = RangeFile(inquiry.client, beginning, inquiry.url)
    try:
        info = probe(cast(BinaryIO, file))
    except MediaError:
        if file.failure is not None:
            raise file.failure from None
        raise SourceError(f"{shown} holds no video or sound that can be read.", outcome="not_media") from None
    require_streams(info, shown)
    rendition = replace(rendition_of(inquiry.url, info), bitrate_bps=_bitrate_bps(beginning.size, info.duration_s))
    parts = urlsplit(inquiry.url)
    validator = beginning.headers.get("etag", "") or beginning.headers.get("last-modified", "")
    return Source(
        url=public_url(inquiry.url),
        kind="http",
        title=title_of(parts.path, fallback=parts.hostname or ""),
        duration_s=info.duration_s,
        fingerprint=fingerprint("http", identity(inquiry.url), beginning.size, validator),
        renditions=(rendition,),
        link=inquiry.url,
        provider="http",
    )


def check_media(beginning: Reply, shown: str) -> None:
    """Refuse what the first bytes and headers already show to be unreadable.

    Raises:
        SourceError: for pages, empty files and servers without ranges.
    """
    if not beginning.body:
        raise SourceError(f"{shown} is empty (0 bytes).", outcome="not_media")
    if is_page(beginning.body):
        raise SourceError(
            f"{shown} is a web page, not a video; give the address of the video file or of its .m3u8 playlist.",
            outcome="not_media",
        )
    if _TEXT_TYPE.match(beginning.headers.get("content-type", "")) and is_text(beginning.body):
        raise SourceError(f"{shown} is text, not a video.", outcome="not_media")
    if beginning.status != 206 or beginning.size is None:
        raise SourceError(
            f"{shown} is on a server that cannot send parts of a file; download it and give its path.",
            outcome="no_range",
        )


def is_page(data: bytes) -> bool:
    """Whether bytes that should be media are a web page."""
    return _PAGE.match(data[:4096].removeprefix(b"\xef\xbb\xbf")) is not None


def is_text(data: bytes) -> bool:
    """Whether bytes read as UTF-8 without control characters; a character that is cut off at the end is no fault."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3 or "unexpected end" not in error.reason:
            return False
    return _CONTROL.isdisjoint(data)


def _bitrate_bps(size: int | None, duration_s: float) -> float:
    return 8 * size / duration_s if size is not None and duration_s > 0 else math.nan
