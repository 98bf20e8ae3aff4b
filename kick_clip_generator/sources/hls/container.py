"""What a segment is made of, by its bytes; names and content types of segments are often wrong."""

from __future__ import annotations

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.sources.progressive import is_page

TS_PACKET_BYTES = 188

_MP4_BOXES = (b"ftyp", b"styp", b"moof", b"moov", b"sidx", b"emsg", b"prft", b"free", b"skip", b"uuid")


def container_of(data: bytes, shown: str) -> str:
    """The container of a segment: "mpegts" or "mp4" (fragmented).

    Args:
        data: the segment.
        shown: its name for messages.

    Raises:
        SourceError: when it is neither.
    """
    if data[:1] == b"\x47" and data[TS_PACKET_BYTES : TS_PACKET_BYTES + 1] in (b"\x47", b""):
        return "mpegts"
    if data[4:8] in _MP4_BOXES:
        return "mp4"
    if is_page(data):
        raise SourceError(f"{shown} is a web page where a piece of the video was expected.", outcome="not_media")
    raise SourceError(f"{shown} is neither MPEG-TS nor MP4, so it cannot be read.", outcome="not_media")
