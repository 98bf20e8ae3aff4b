"""What one look at a live playlist says, next to what was known before: plain functions."""

from __future__ import annotations

import math
from urllib.parse import urlsplit

from kick_clip_generator.sources.hls.playlist import MediaPlaylist, Segment

# Players stay so many target durations behind the newest segment (RFC 8216, 6.3.3).
TARGETS_BEHIND = 3
# A time of day this much later than the segment before it ends tells of a gap; unannounced, of so many seconds.
ANNOUNCED_GAP_S = 0.5
SILENT_GAP_S = 5.0
# A later time of day, or more skipped numbers, than this is a new numbering or a clock that was set.
LONGEST_GAP_S = 24 * 3600.0
LONGEST_SKIP_S = 600.0


def near_the_edge(playlist: MediaPlaylist) -> int:
    """The segment to begin with, to see what happens now."""
    behind_s = TARGETS_BEHIND * max(usual_s(playlist), playlist.target_s if playlist.target_s > 0 else 0.0)
    return playlist.index_at(max(0.0, playlist.duration_s - behind_s))


def usual_s(playlist: MediaPlaylist) -> float:
    """How long the segments of a playlist are."""
    return playlist.duration_s / max(1, len(playlist.segments))


def is_same(known: Segment, listed: Segment, moved: bool) -> bool:
    """Whether two segments of the same number are the same.

    Args:
        known, listed: before and now.
        moved: the playlist's address has changed, and with it, maybe, the addresses in it.
    """
    apart_s = abs(known.program_time_s - listed.program_time_s)
    if not math.isnan(apart_s):
        return apart_s < max(1.0, known.span.duration_s / 2)
    paths = {urlsplit(segment.resource.url).path for segment in (known, listed)}
    return moved or (len(paths) == 1 and known.resource.byte_range == listed.resource.byte_range)


def not_before(last: Segment, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Those of a new numbering that were made after a segment, by the time of day: a mirror lists the same again."""
    known_until_s = last.program_time_s + last.span.duration_s
    return tuple(
        segment
        for segment in segments
        if not 0 < known_until_s - segment.program_time_s - segment.span.duration_s / 2 < LONGEST_SKIP_S
    )


def seconds_missed(before: Segment, segment: Segment, skipped_s: float, anew: bool) -> float:
    """Seconds of the stream between two segments that follow one another in what was listed.

    Args:
        before, segment: the two.
        skipped_s: what the numbers that are missing between them would last.
        anew: time stamps may begin anew at the second.
    """
    late_s = segment.program_time_s - before.program_time_s - before.span.duration_s
    if math.isnan(late_s) or late_s > LONGEST_GAP_S:
        return skipped_s
    return late_s if late_s > (ANNOUNCED_GAP_S if anew else SILENT_GAP_S) else 0.0
