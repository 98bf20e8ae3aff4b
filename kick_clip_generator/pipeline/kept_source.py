"""A source that cannot be had from where it was any more, read from the download of it that is kept."""

from __future__ import annotations

import dataclasses
import logging

from kick_clip_generator.core.errors import SourceError
from kick_clip_generator.core.progress import CancelToken
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.sources.resolve import resolve

log = logging.getLogger(__name__)


def resolve_or_kept(
    library: Library, source_id: int | None, url: str, settings: Settings, cancel: CancelToken | None
) -> Source:
    """What a link leads to, or the kept download of its source when it leads nowhere.

    Args:
        source_id: the source's row; None when it was never looked up.

    Raises:
        SourceError: as `resolve`, when no download is kept either.
    """
    try:
        return resolve(url, settings, cancel)
    except SourceError as error:
        kept = None if source_id is None else _kept(library, source_id, settings)
        if kept is None:
            raise
        log.info("The kept download of %s is read instead: %s", kept.title, error)
        return kept


def _kept(library: Library, source_id: int, settings: Settings) -> Source | None:
    """The source under its own name, with the kept file as its only rendition; None without an untouched one."""
    project = library.project_of_source(source_id)
    video = project.video if project is not None else None
    try:
        if video is None or video.path.stat().st_size != video.size:
            return None
        file = resolve(str(video.path), settings)
    except (OSError, SourceError):
        return None
    record = library.source(source_id)
    return dataclasses.replace(
        file, url=record.url, title=record.title, channel=record.channel, fingerprint=record.fingerprint
    )
