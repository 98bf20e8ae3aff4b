"""HLS playlists, checked at the door: what comes out has finite numbers, absolute http(s) addresses and bounded size.

The m3u8 package reads the tags (0.08 s of CPU for 9,000 segments); only those that matter here are shown to it, so that
a malformed date or advertising tag cannot make a good playlist unreadable. Format: RFC 8216.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import m3u8

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.records import Rendition, Span
from kick_clip_generator.sources.safety import check_url, redact

MAX_PLAYLIST_BYTES = 32 * 2**20
MAX_LINES = 400_000
# Two days of 2 s segments.
MAX_SEGMENTS = 86_400
MAX_SEGMENT_S = 3600.0

# Under this height a face in the webcam corner is a few pixels wide and motion measures drown in compression noise.
MIN_ADEQUATE_HEIGHT_PX = 160

_TAGS_READ = re.compile(
    r"#EXT(M3U|INF|-X-(BYTERANGE|DISCONTINUITY|ENDLIST|GAP|I-FRAMES-ONLY|MAP|MEDIA|PLAYLIST-TYPE|STREAM-INF))(:|$)"
)
_VIDEO_CODECS = re.compile(r"\b(avc|hvc|hev|av01|vp0?[89]|dvh|mp4v)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, or `byte_range` = `[first, stop)` of one."""

    url: str
    byte_range: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment with its place in stream time.

    Attributes:
        index: position in the playlist.
        stretch: number of the gap-free stretch it belongs to: rises at discontinuities, gaps and changes of `init`.
        init: the section that decoders need first (fMP4), if any.
        missing: the playlist itself says that it was lost.
    """

    index: int
    span: Span
    resource: Resource
    stretch: int
    init: Resource | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """The segments of one rendition, in order, without holes in time.

    Attributes:
        ended: whether the recording is complete; a live stream's is not.
    """

    segments: tuple[Segment, ...]
    ended: bool

    @property
    def duration_s(self) -> float:
        return self.segments[-1].span.end_s

    @property
    def breaks_s(self) -> tuple[float, ...]:
        """Where one gap-free stretch ends and the next begins."""
        pairs = zip(self.segments, self.segments[1:], strict=False)
        return tuple(after.span.start_s for before, after in pairs if before.stretch != after.stretch)

    def index_at(self, time_s: float) -> int:
        """The segment that contains an instant; the first or last one for instants outside."""
        # A microsecond of grace: sums of decimal durations miss round boundaries by rounding.
        found = bisect.bisect_right(self.segments, time_s + 1e-6, key=lambda segment: segment.span.start_s) - 1
        return max(0, found)

    def index_before(self, time_s: float) -> int:
        """One past the last segment that starts before an instant."""
        return bisect.bisect_left(self.segments, time_s - 1e-6, key=lambda segment: segment.span.start_s)


def is_playlist(data: bytes) -> bool:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:7] == b"#EXTM3U"


def parse_master(data: bytes, url: str) -> tuple[Rendition, ...]:
    """The renditions of a master playlist, cheapest adequate first, best last; empty when it is a media playlist.

    Only adequate ones are listed where there are any: with a picture of at least `MIN_ADEQUATE_HEIGHT_PX`.

    Raises:
        SourceError: when it is damaged, too large, or keeps sound and picture apart.
    """
    tags = _parse(data, url)
    if not tags["is_variant"]:
        return ()
    separate_audio = _separate_audio_groups(tags["media"])
    renditions: list[Rendition] = []
    silent = 0
    for entry in tags["playlists"]:
        info = entry["stream_info"]
        if info.get("audio") in separate_audio:
            silent += 1
            continue
        renditions.append(_rendition(info, _absolute(url, entry["uri"])))
    if not renditions:
        if silent:
            raise SourceError(
                f"{redact(url)} keeps sound and picture in separate files, which cannot be read yet; "
                f"download it as one file and give its path.",
                outcome="unsupported",
            )
        raise SourceError(f"{redact(url)} is a playlist that lists nothing.", outcome="not_media")
    return _ranked(renditions)


def parse_media(data: bytes, url: str) -> MediaPlaylist:
    """The segments of a media playlist.

    Raises:
        SourceError: when it is damaged, too large, empty, encrypted, or a master playlist.
    """
    tags = _parse(data, url)
    if tags["is_variant"]:
        raise SourceError(
            f"{redact(url)} lists playlists where segments were expected, perhaps itself.", outcome="not_media"
        )
    entries = tags["segments"]
    if entries and "uri" not in entries[-1]:
        # A tag that no address followed.
        entries.pop()
    if not entries:
        raise SourceError(
            f"{redact(url)} is a playlist without segments; there is nothing to read.", outcome="not_media"
        )
    if tags.get("encrypted"):
        raise SourceError(
            f"{redact(url)} is encrypted, which cannot be read yet; download it as one file and give its path.",
            outcome="unsupported",
        )
    if tags["is_i_frames_only"]:
        raise SourceError(f"{redact(url)} holds single frames only, not a video.", outcome="not_media")
    segments = _segments(entries, url)
    if segments[-1].span.end_s <= 0:
        raise SourceError(f"{redact(url)} is a playlist whose segments have no length.", outcome="not_media")
    return MediaPlaylist(segments, ended=tags["is_endlist"])


def _parse(data: bytes, url: str) -> dict[str, Any]:
    if not is_playlist(data):
        raise SourceError(f"{redact(url)} is no playlist (it does not begin with #EXTM3U).", outcome="not_media")
    lines = data.count(b"\n") + data.count(b"\r")
    if len(data) > MAX_PLAYLIST_BYTES or lines > MAX_LINES or data.count(b"#EXTINF") > MAX_SEGMENTS:
        raise _too_large(url)
    text = data.decode("utf-8-sig", "replace")
    try:
        tags: dict[str, Any] = m3u8.parse(text, custom_tags_parser=_skip_unread)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, ArithmeticError):
        raise _damaged(url) from None
    return tags


def _skip_unread(line: str, _lineno: int, data: dict[str, Any], _state: object) -> bool:
    """Whether m3u8 shall pass over a tag; keys are noted here, for m3u8 compares each of them with all others."""
    if line.startswith("#EXT-X-KEY:"):
        if "METHOD=NONE" not in line:
            data["encrypted"] = True
        return True
    return _TAGS_READ.match(line) is None


def _segments(entries: list[dict[str, Any]], url: str) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    start_s = 0.0
    stretch = 0
    init: Resource | None = None
    init_tag: Mapping[str, str] | None = None
    for index, entry in enumerate(entries):
        if "uri" not in entry or "duration" not in entry:
            raise _damaged(url)
        duration_s = float(entry["duration"])
        if not 0 <= duration_s <= MAX_SEGMENT_S:
            raise _damaged(url)
        previous = segments[-1] if segments else None
        if entry.get("init_section") is not init_tag:
            init_tag = entry.get("init_section")
            init = _resource(init_tag, url, None) if init_tag else None
        missing = bool(entry.get("gap_tag"))
        if previous and (entry["discontinuity"] or missing or previous.missing or previous.init != init):
            stretch += 1
        resource = _resource(entry, url, previous.resource if previous else None)
        segments.append(Segment(index, Span(start_s, start_s + duration_s), resource, stretch, init, missing))
        # From the sum of integers of microseconds: floats would drift by the number of segments.
        start_s = round(start_s + duration_s, 6)
    return tuple(segments)


def _resource(entry: Mapping[str, Any], url: str, previous: Resource | None) -> Resource:
    absolute = _absolute(url, entry.get("uri", ""))
    byte_range = entry.get("byterange")
    if byte_range is None:
        return Resource(absolute)
    match = re.fullmatch(r"(\d{1,15})(?:@(\d{1,15}))?", byte_range.strip())
    if match is None or int(match[1]) == 0:
        raise _damaged(url)
    if match[2] is not None:
        first = int(match[2])
    elif previous is not None and previous.url == absolute and previous.byte_range:
        first = previous.byte_range[1]
    else:
        first = 0
    return Resource(absolute, (first, first + int(match[1])))


def _absolute(base: str, uri: str) -> str:
    try:
        absolute = urljoin(base, uri.strip().replace(" ", "%20"))
    except ValueError:
        raise _damaged(base) from None
    check_url(absolute)
    return absolute


def _separate_audio_groups(media: list[dict[str, Any]]) -> set[str]:
    """Groups whose sound lies in playlists of its own: a member without URI is muxed into the picture's segments."""
    groups: dict[str, bool] = {}
    for entry in media:
        if entry.get("type") == "AUDIO":
            group = entry.get("group_id", "")
            groups[group] = groups.get(group, True) and bool(entry.get("uri"))
    return {group for group, separate in groups.items() if separate}


def _rendition(info: Mapping[str, Any], url: str) -> Rendition:
    codecs = str(info.get("codecs", ""))
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(info.get("resolution", "")))
    has_video = True if size or _VIDEO_CODECS.search(codecs) else False if codecs else None
    return Rendition(
        url=url,
        width_px=int(size[1]) if size else 0,
        height_px=int(size[2]) if size else 0,
        fps=_positive(info.get("frame_rate")),
        bitrate_bps=_positive(info.get("bandwidth")),
        codecs=codecs[:200],
        # Sound may be muxed in though a playlist names video codecs alone; reading will tell.
        has_audio=None,
        has_video=has_video,
    )


def _ranked(renditions: list[Rendition]) -> tuple[Rendition, ...]:
    groups = (
        [r for r in renditions if r.height_px >= MIN_ADEQUATE_HEIGHT_PX],
        [r for r in renditions if r.height_px == 0 and r.has_video is not False],
        [r for r in renditions if r.height_px > 0],
        renditions,
    )
    adequate = next(group for group in groups if group)
    return tuple(sorted(adequate, key=lambda r: (r.height_px, _known(r.fps), _known(r.bitrate_bps))))


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def _positive(value: float | None) -> float:
    return float(value) if value is not None and 0 < value < 1e12 else math.nan


def _damaged(url: str) -> SourceError:
    return SourceError(f"{redact(url)} is a damaged playlist, so it cannot be read.", outcome="not_media")


def _too_large(url: str) -> SourceError:
    return SourceError(
        f"{redact(url)} is a playlist of more than {MAX_SEGMENTS:,} segments or {MAX_PLAYLIST_BYTES // 2**20} MB, "
        f"which is too long to read.",
        outcome="too_large",
    )
