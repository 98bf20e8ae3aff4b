"""Made-up facts for the tests of the library."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

from kick_clip_generator.core.records import Highlight, Kind, Reason, Rendition, Source, Span
from kick_clip_generator.library.files import part_file, publish
from kick_clip_generator.library.records import ClipRecord, Published


def a_source(url: str = "https://example.com/vod.m3u8", title: str = "A stream") -> Source:
    return Source(
        url, "hls", title, 600.0, hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest(), (Rendition(url),)
    )


def a_highlight(start_s: float, *, score: float = 0.5, kind: Kind = "audio") -> Highlight:
    return Highlight(
        kind=kind,
        score=score,
        peak_s=start_s + 2.0,
        event=Span(start_s, start_s + 5.0),
        clip=Span(max(0.0, start_s - 5.0), start_s + 10.0),
        reasons=(Reason("rms_mean", score, "loud +2.4 σ"),),
        heuristic_score=score,
    )


def a_file(path: Path, content: bytes = b"moving pictures") -> Published:
    path.parent.mkdir(parents=True, exist_ok=True)
    with part_file(path) as part:
        part.write_bytes(content)
        return publish(part, path, replace=True)


def a_clip(
    source_id: int,
    path: Path,
    *,
    start_s: float = 10.0,
    score: float = 0.5,
    kind: Kind = "audio",
    highlight_id: int | None = None,
    model_version: int | None = None,
) -> ClipRecord:
    highlight = a_highlight(start_s, score=score, kind=kind)
    return ClipRecord(
        source_id=source_id,
        highlight=highlight,
        kind=kind,
        file=a_file(path),
        span=highlight.clip,
        cut="exact",
        row={"rms_mean": score, "motion_mean": math.nan},
        model_version=model_version,
        highlight_id=highlight_id,
    )
