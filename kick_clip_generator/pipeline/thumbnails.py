"""Each clip gets a thumbnail; a clip without one is still a clip."""

from __future__ import annotations

import logging
from pathlib import Path

from kick_clip_generator.core.errors import ClipGeneratorError
from kick_clip_generator.library.thumbnails import delete_thumbnail, write_thumbnail

log = logging.getLogger(__name__)


def make_thumbnail(clip: Path, peak_s: float) -> Path | None:
    """Make the thumbnail of a published clip, in the place of an older one.

    Args:
        clip: its file.
        peak_s: the instant to show, in the clip.

    Returns:
        None where there is no picture, or it could not be made: that fails no clip.
    """
    # OpenCV and PyAV; whoever only opens the library needs neither.
    from kick_clip_generator.media.thumbnail import thumbnail

    try:
        jpeg = thumbnail(clip, peak_s)
        if jpeg is not None:
            return write_thumbnail(clip, jpeg)
    except ClipGeneratorError as error:
        log.info("%s has no thumbnail: %s", clip.name, error)
    delete_thumbnail(clip)
    return None
