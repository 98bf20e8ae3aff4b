"""The end of a run in one sentence: how much of the stream was seen, and what it took."""

from __future__ import annotations

import math
from collections.abc import Mapping

from kick_clip_generator.core.records import Source
from kick_clip_generator.sources.net.traffic import Traffic


def coverage_report(source: Source, windows: Mapping[str, int], stream_s: float, traffic: Traffic) -> str:
    """A sentence as `1,198 of 1,200 windows complete, 2 partial; 138 MB fetched of 2.8 GB, 31 requests repeated.`

    Args:
        source: what was read; its best rendition is what a download would have taken.
        windows: how many ended in each status.
        stream_s: length of the analysed span, in seconds.
        traffic: all that was asked of servers.
    """
    total = sum(windows.values())
    missing = [f"{windows[status]:,} {words}" for status, words in _MISSING.items() if windows[status]]
    parts = [f"{windows['done']:,} of {total:,} windows complete" + "".join(f", {part}" for part in missing)]
    if source.kind != "file":
        whole_bytes = source.renditions[-1].bitrate_bps * stream_s / 8
        of = f" of {size(whole_bytes)}" if math.isfinite(whole_bytes) and whole_bytes >= traffic.bytes_read else ""
        parts.append(f"{size(traffic.bytes_read)} fetched{of}")
    if traffic.retries:
        parts.append(f"{traffic.retries:,} of {traffic.requests:,} requests repeated")
    again = "; the same command tries the missing ones again" if missing and not source.live else ""
    return f"{'; '.join(parts)}{again}."


_MISSING = {"partial": "partial", "failed": "lost"}


def size(count: float) -> str:
    """Bytes for people: "138 MB", "2.8 GB"."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= 0.9995 * factor:
            value = count / factor
            return f"{value:.1f} {unit}" if value < 10 else f"{value:,.0f} {unit}"
    return f"{count:.0f} bytes"
