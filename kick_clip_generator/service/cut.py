"""Cutting moments that the caller names: highlights found earlier, or spans chosen by hand."""

from __future__ import annotations

from collections.abc import Sequence

from kick_clip_generator.clips.plan import plan_clips
from kick_clip_generator.core.clip_row import SURROUNDINGS_S
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.records import Highlight, Span
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.jobs.crew import ALONE, Crew
from kick_clip_generator.jobs.inline import analyze_inline
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.analyze import analyzed_span
from kick_clip_generator.pipeline.clips import ClipsMade, clips_folder, cut_clips
from kick_clip_generator.service.bounds import require_inside
from kick_clip_generator.service.folders import scan
from kick_clip_generator.service.generate import GenerateRequest, require_recording


def cut_highlights(
    request: GenerateRequest,
    highlights: Sequence[Highlight],
    *,
    library: Library,
    settings: Settings,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
    crew: Crew = ALONE,
) -> ClipsMade:
    """Cut the given highlights, in their order.

    The stretch around them is analysed where it has not been yet, so that the clips carry features for training.

    Args:
        crew: who helps with that.

    Raises:
        InputError: when a clip reaches beyond the end of the source.
        ClipGeneratorError: as `generate_highlights`.
    """
    if not highlights:
        return ClipsMade()
    token = cancel or CancelToken()
    progress(Progress("resolve"))
    source = crew.resolve(request.url, settings, token)
    require_recording(source)
    for highlight in highlights:
        require_inside(highlight.clip, source)
    folder = clips_folder(source, settings, request.output)
    source_id = library.record_source(source)
    scan(library, settings)
    around = Span(
        max(0.0, min(h.event.start_s for h in highlights) - SURROUNDINGS_S),
        max(h.event.end_s for h in highlights) + SURROUNDINGS_S,
    )
    span, _ = analyzed_span(source, around, settings)
    _, analysis = analyze_inline(
        library,
        source,
        span,
        settings=settings,
        config=request.config,
        scorer=None,
        progress=progress,
        cancel=token,
        crew=crew,
    )
    return cut_clips(
        source,
        plan_clips(highlights, *analysis.detection.by_medium.values()),
        folder=folder,
        mode=request.cut,
        timeline=analysis.signals,
        source_id=source_id,
        highlight_ids={},
        model_version=None,
        library=library,
        settings=settings,
        progress=progress,
        cancel=token,
        may_replace=False,  # what was asked for moment by moment is not a ranking that a new one outdates
    )
