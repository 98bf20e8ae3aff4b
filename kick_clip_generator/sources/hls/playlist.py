"""Media playlists, checked at the door: what comes out has finite numbers, web addresses and bounded size."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Span
from kick_clip_generator.sources.hls.ads import AD_TITLE_PREFIX, AdDates, cued
from kick_clip_generator.sources.hls.tags import (
    MAX_PLAYLIST_BYTES,
    MAX_SEGMENTS,
    UNUSABLE_KEY,
    Addresses,
    Key,
    MapTag,
    damaged,
    is_playlist,
    read_tags,
)
from kick_clip_generator.sources.safety import redact

__all__ = [
    "MAX_PLAYLIST_BYTES",
    "MAX_SEGMENTS",
    "Key",
    "MediaPlaylist",
    "Resource",
    "Segment",
    "is_playlist",
    "parse_media",
]

MAX_SEGMENT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, or `byte_range` = `[first, stop)` of one."""

    url: str = field(repr=False)
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment with its place in the time of its playlist.

    Attributes:
        index: position in the playlist.
        span: from the sum of the durations before it; 0 is the start of the playlist.
        stretch: number of the gap-free stretch it belongs to: rises at discontinuities, gaps and changes of `init`.
        clock: rises where time stamps may start anew: at discontinuities and changes of `init`.
        sequence: its number in the stream; stays the same while a live playlist slides.
        init: the section that decoders need first (fMP4), if any.
        key, init_key: what the segment and its init section are encrypted with, None when they are not.
        missing: the playlist itself says that it was lost.
        ad: it lies in an ad break, by the playlist's marks.
        program_time_s: when it was made, in POSIX seconds; NaN when not known.
    """

    index: int
    span: Span
    resource: Resource
    stretch: int
    init: Resource | None = None
    missing: bool = False
    clock: int = 0
    sequence: int = 0
    key: Key | None = None
    init_key: Key | None = None
    ad: bool = False
    program_time_s: float = math.nan


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments of one rendition, in order, without holes in time.

    Attributes:
        segments: may be empty for a live stream that has just begun.
        ended: whether the recording is complete; a live stream's is not.
        target_s: no segment is longer; how often a live playlist is worth a look. NaN when not known.
        first_sequence: sequence number of the first segment.
        discontinuity_sequence: how many discontinuities have slid out of a live playlist.
    """

    segments: tuple[Segment, ...]
    ended: bool
    target_s: float = math.nan
    first_sequence: int = 0
    discontinuity_sequence: int = 0

    @property
    def duration_s(self) -> float:
        return self.segments[-1].span.end_s if self.segments else 0.0

    @property
    def breaks_s(self) -> tuple[float, ...]:
        """Where one gap-free stretch ends and the next begins."""
        pairs = itertools.pairwise(self.segments)
        return tuple(after.span.start_s for before, after in pairs if before.stretch != after.stretch)

    def index_at(self, time_s: float) -> int:
        """The segment that contains an instant; the first or last one for instants outside."""
        # A microsecond of grace: sums of decimal durations miss round boundaries by rounding.
        found = bisect.bisect_right(self.segments, time_s + 1e-6, key=lambda segment: segment.span.start_s) - 1
        return max(0, found)

    def index_before(self, time_s: float) -> int:
        """One past the last segment that starts before an instant."""
        return bisect.bisect_left(self.segments, time_s - 1e-6, key=lambda segment: segment.span.start_s)


def parse_media(data: bytes, url: str) -> MediaPlaylist:
    """The segments of a media playlist, of a recording or a live stream.

    Args:
        data: the playlist as it was served.
        url: where it came from, after redirects; what relative addresses are relative to.

    Raises:
        SourceError: when it is damaged, too large, a master playlist, protected by DRM, or a recording without
            segments.
    """
    addresses = Addresses(url)
    tags = read_tags(data, addresses)
    if tags["is_variant"]:
        raise SourceError(
            f"{redact(url)} lists playlists where segments were expected, perhaps itself.", outcome="not_media"
        )
    entries = tags["segments"]
    if entries and "uri" not in entries[-1]:
        # A tag that no address followed.
        entries.pop()
    # A recording is complete even where its end mark was forgotten.
    ended = bool(tags["is_endlist"] or tags["playlist_type"] == "vod")
    if not entries and ended:
        raise SourceError(
            f"{redact(url)} is a playlist without segments; there is nothing to read.", outcome="not_media"
        )
    if tags["is_i_frames_only"]:
        raise SourceError(f"{redact(url)} holds single frames only, not a video.", outcome="not_media")
    segments = _segments(entries, tags, addresses)
    if segments and segments[-1].span.end_s <= 0:
        raise SourceError(f"{redact(url)} is a playlist whose segments have no length.", outcome="not_media")
    return MediaPlaylist(
        segments,
        ended=ended,
        target_s=tags["target_s"],
        first_sequence=tags["first_sequence"],
        discontinuity_sequence=tags["discontinuity_sequence"],
    )


def _segments(entries: list[dict[str, Any]], tags: dict[str, Any], addresses: Addresses) -> tuple[Segment, ...]:
    durations_s = [_duration_s(entry, addresses.base) for entry in entries]
    program_times_s = _program_times_s(entries, durations_s)
    ads = _ads(entries, durations_s, program_times_s, tags["date_ranges"])
    segments: list[Segment] = []
    start_s = 0.0
    stretch = clock = 0
    init: Resource | None = None
    map_tag: MapTag | None = None
    resource: Resource | None = None
    was_missing = False
    for index, (entry, duration_s) in enumerate(zip(entries, durations_s, strict=True)):
        missing = bool(entry["gap_tag"])
        # Time stamps may start anew.
        restart = entry["discontinuity"]
        if entry.get("init_section") is not map_tag:
            map_tag = entry.get("init_section")
            before, init = init, _init(map_tag, addresses)
            restart = restart or before != init
        if index and (restart or missing or was_missing):
            stretch += 1
            clock += bool(restart)
        was_missing = missing
        key = entry.get("key")
        if key is UNUSABLE_KEY or (map_tag is not None and map_tag.key is UNUSABLE_KEY):
            raise SourceError(
                f"{redact(addresses.base)} is protected by DRM, which cannot be read; choose another recording.",
                outcome="unsupported",
            )
        resource = _resource(entry["uri"], entry.get("byterange"), addresses, resource)
        # From the sum of integers of microseconds: floats would drift by the number of segments.
        end_s = round(start_s + duration_s, 6)
        segments.append(
            Segment(
                index,
                Span(start_s, end_s),
                resource,
                stretch,
                init,
                missing,
                clock,
                tags["first_sequence"] + index,
                key,
                map_tag.key if map_tag is not None else None,
                ads[index],
                program_times_s[index],
            )
        )
        start_s = end_s
    return tuple(segments)


def _duration_s(entry: dict[str, Any], url: str) -> float:
    duration_s = entry.get("duration", math.nan)
    if "uri" not in entry or not 0 <= duration_s <= MAX_SEGMENT_S:
        raise damaged(url)
    return float(duration_s)


def _init(tag: MapTag | None, addresses: Addresses) -> Resource | None:
    if tag is None:
        return None
    return _resource(tag.attributes.get("URI", ""), tag.attributes.get("BYTERANGE"), addresses, None)


def _resource(uri: str, byte_range: str | None, addresses: Addresses, previous: Resource | None) -> Resource:
    absolute = addresses.absolute(uri)
    if byte_range is None:
        return Resource(absolute)
    match = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", byte_range.strip())
    if match is None or int(match[1]) == 0:
        raise damaged(addresses.base)
    if match[2] is not None:
        first = int(match[2])
    elif previous is not None and previous.url == absolute and previous.byte_range:
        first = previous.byte_range[1]
    else:
        first = 0
    return Resource(absolute, (first, first + int(match[1])))


def _program_times_s(entries: Sequence[dict[str, Any]], durations_s: Sequence[float]) -> list[float]:
    """Each segment's date from the nearest tag before it, or behind it, up to a discontinuity; NaN without one."""
    times_s = [entry.get("program_date_time", math.nan) for entry in entries]
    for index in range(1, len(times_s)):
        if math.isnan(times_s[index]) and not entries[index]["discontinuity"]:
            times_s[index] = times_s[index - 1] + durations_s[index - 1]
    for index in reversed(range(len(times_s) - 1)):
        if math.isnan(times_s[index]) and not entries[index + 1]["discontinuity"]:
            times_s[index] = times_s[index + 1] - durations_s[index]
    return times_s


def _ads(
    entries: Sequence[dict[str, Any]],
    durations_s: Sequence[float],
    program_times_s: Sequence[float],
    date_ranges: Sequence[dict[str, str]],
) -> list[bool]:
    """Per segment, whether most of it is advertising."""
    marked = [entry["title"].startswith(AD_TITLE_PREFIX) for entry in entries]
    if any("cue_out_s" in entry for entry in entries):
        between_cues = cued(
            [entry.get("cue_out_s") for entry in entries], [bool(entry["cue_in"]) for entry in entries], durations_s
        )
        marked = [mark or cue for mark, cue in zip(marked, between_cues, strict=True)]
    dates = AdDates(date_ranges)
    if dates:
        middles_s = (at_s + duration_s / 2 for at_s, duration_s in zip(program_times_s, durations_s, strict=True))
        marked = [mark or middle_s in dates for mark, middle_s in zip(marked, middles_s, strict=True)]
    return marked
