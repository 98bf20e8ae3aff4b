"""A project on one line: its moments, and the clips that were cut from them."""

from __future__ import annotations

from typing import Any

from kick_clip_generator.library.library import Library
from kick_clip_generator.library.projects import Project
from kick_clip_generator.library.records import Clip, ClipQuery
from kick_clip_generator.library.store import none_if_nan

# More clips than that are no line any more.
MOST_CLIPS = 500


def timeline_document(library: Library, project: Project) -> dict[str, Any]:
    """Highlights and clips by time; empty before the first analysis."""
    highlights: list[dict[str, Any]] = []
    clips: list[Clip] = []
    if project.source_id is not None:
        highlights = [{"id": row.id, **row.highlight.to_dict()} for row in library.highlights(project.source_id)]
        clips = list(library.clips(ClipQuery(source_id=project.source_id, dropped=None, limit=MOST_CLIPS)).items)
    return {
        "duration": none_if_nan(project.duration_s),
        "highlights": sorted(highlights, key=lambda highlight: (highlight["start"], highlight["id"])),
        "clips": [
            {
                "id": clip.id,
                "highlight_id": clip.highlight_id,
                "start": round(clip.span.start_s, 3),
                "end": round(clip.span.end_s, 3),
                "stars": clip.stars,
                "kept": clip.kept,
                "dropped": clip.dropped,
            }
            for clip in sorted(clips, key=lambda clip: (clip.span.start_s, clip.id))
        ],
    }
