"""A whole analysis of a file, as the product runs it, with its folders in one place."""

from __future__ import annotations

from pathlib import Path

from kick_clip_generator.core.progress import CancelToken, ProgressCallback, silent
from kick_clip_generator.core.records import Span
from kick_clip_generator.core.settings import load_settings
from kick_clip_generator.highlights.config import DetectionConfig
from kick_clip_generator.jobs.inline import analyze_inline
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.analyze import Analysis
from kick_clip_generator.sources.resolve import resolve


def analyze_file(
    stream: Path,
    folder: Path,
    *,
    config: DetectionConfig | None = None,
    start_s: float = 0.0,
    database: str = "clips.db",
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
    **changes: object,
) -> Analysis:
    """Analyse a file from `start_s` on.

    Args:
        stream: the file.
        folder: for the library, temporary media and the feature cache; with the same one a run goes on where another
            stopped.
        config: what to look for.
        start_s: where to begin.
        database: name of the library in `folder`.
        progress, cancel: as for `analyze_inline`.
        changes: settings.
    """
    changes = {"temp_dir": folder / "temp", "feature_dir": folder / "features", **changes}
    settings = load_settings(changes)
    source = resolve(str(stream), settings)
    with Library.open(folder / database) as library:
        library.record_source(source)
        _, analysis = analyze_inline(
            library,
            source,
            Span(start_s, source.duration_s),
            settings=settings,
            config=config or DetectionConfig(),
            scorer=None,
            progress=progress,
            cancel=cancel or CancelToken(),
        )
    return analysis
