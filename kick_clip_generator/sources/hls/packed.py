"""Segments of packed audio: what their frames are, and when they begin, from the tag before them.

HLS puts the time stamp of the first frame into an ID3 tag (RFC 8216, 3.4).
"""

from __future__ import annotations

import logging

from kick_clip_generator.core.errors import MediaError, SourceError
from kick_clip_generator.media.packed import TS_TICK_S, PackedFormat, packed_to_ts

log = logging.getLogger(__name__)

TIME_OWNER = b"com.apple.streaming.transportStreamTimestamp\x00"
TIME_BITS = 33


def packed_format(data: bytes) -> PackedFormat | None:
    """What the frames of packed audio are, by their first bytes; None when it is something else."""
    head = data[_tag_bytes(data) :][:2]
    if len(head) < 2:
        return None
    if head == b"\x0b\x77":
        return "ac3"
    if head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    # The layer: 0 is AAC's, the others are MPEG audio's.
    return "mp3" if head[1] & 0x06 else "aac" if head[1] & 0xF0 == 0xF0 else None


def to_ts(data: bytes, form: PackedFormat, start_s: float, shown: str) -> bytes:
    """A segment of packed audio as MPEG-TS.

    Args:
        data: the segment.
        form: see `packed_format`.
        start_s: when it begins, where no tag says so.
        shown: its name for messages.

    Raises:
        SourceError: when it holds no sound that can be read.
    """
    tag = _tag_bytes(data)
    place = data.find(TIME_OWNER, 0, tag)
    if place >= 0:
        start = place + len(TIME_OWNER)
        ticks = int.from_bytes(data[start : start + 8], "big") % 2**TIME_BITS
    else:
        ticks = round(start_s / TS_TICK_S)
    try:
        return packed_to_ts(data[tag:], form, ticks)
    except MediaError as error:
        log.debug("%s", error)
        raise SourceError(f"{shown} holds no sound that can be read.", outcome="not_media") from None


def _tag_bytes(data: bytes) -> int:
    """Length of the ID3 tags that a segment begins with."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = data[at + 6 : at + 10]
        at += 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    return at
