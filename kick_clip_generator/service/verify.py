"""Clips that were published are decoded whole, when there is time for it."""

from __future__ import annotations

from collections.abc import Sequence

from kick_clip_generator.core.progress import CancelToken, ProgressCallback, silent
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.pipeline.verify import Verdict, verify_clips
from kick_clip_generator.service.folders import scan


def verify(
    library: Library,
    settings: Settings,
    clip_ids: Sequence[int],
    *,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
) -> list[Verdict]:
    """Decode clips whole, wherever their files are by now, see `pipeline.verify.verify_clips`.

    Raises:
        LibraryError: when the library fails.
        Cancelled: when the token is up.
    """
    scan(library, settings)
    return verify_clips(clip_ids, library=library, settings=settings, progress=progress, cancel=cancel)
