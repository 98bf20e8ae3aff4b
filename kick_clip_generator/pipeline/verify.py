"""Behind publishing, clips are decoded whole; one that is damaged is made again in a stricter way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kick_clip_generator.core.errors import (
    Cancelled,
    ClipGeneratorError,
    LibraryError,
    MediaError,
    NotFoundError,
    SourceError,
)
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.records import Source
from kick_clip_generator.core.settings import Settings, with_changes
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip
from kick_clip_generator.pipeline.clips import untouched
from kick_clip_generator.pipeline.kept_source import resolve_or_kept
from kick_clip_generator.pipeline.making import STRICTER
from kick_clip_generator.pipeline.recut import is_same, recut

log = logging.getLogger(__name__)

Outcome = Literal["sound", "remade", "damaged", "missing"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What decoding all of a clip has shown.

    Attributes:
        outcome: "remade": it was damaged, and is sound since it was cut anew; "missing": its file is not there.
        note: a sentence for the user; empty for a clip that is sound.
    """

    clip_id: int
    name: str
    outcome: Outcome
    note: str = ""


def verify_clips(
    clip_ids: Sequence[int],
    *,
    library: Library,
    settings: Settings,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
) -> list[Verdict]:
    """Decode every picture and sample of clips, and note on their rows what that showed.

    One clip after the other, at low priority (`media.whole`). A file that somebody changed is looked at as it is now.

    Args:
        clip_ids: those that are known to be sound are left out, and those that were forgotten.
        progress: told of each clip.
        cancel: ends it within a clip; what was looked at is noted, the others stay as they are.

    Returns:
        A verdict for each clip that was looked at, in their order.

    Raises:
        LibraryError: when the library fails.
        Cancelled: when the token is up.
    """
    token = cancel or CancelToken()
    sources = _Sources(library, settings, token)
    verdicts: list[Verdict] = []
    for place, clip_id in enumerate(clip_ids):
        token.check()
        try:
            # Not before: it may have been moved, cut anew or forgotten while others were looked at.
            clip = library.clip(clip_id)
        except NotFoundError:
            continue
        if clip.checked != "sound":
            progress(Progress("verify", place, len(clip_ids), message=clip.name))
            verdicts.append(_verified(clip, sources, library, settings, token))
    if verdicts:
        progress(Progress("verify", len(clip_ids), len(clip_ids)))
    return verdicts


def _verified(clip: Clip, sources: _Sources, library: Library, settings: Settings, token: CancelToken) -> Verdict:
    if not clip.path.is_file():
        return Verdict(clip.id, clip.name, "missing", f"{clip.path} is not there any more, so it was not checked.")
    fault = _fault(clip, token)
    if not fault:
        # Why it was cut in a stricter way stays to be read; what was damaged is not any more.
        library.set_checked(clip, "sound", clip.check_note if clip.checked == "pending" else "")
        return Verdict(clip.id, clip.name, "sound")
    log.warning("Clip %d (%s) is damaged: %s", clip.id, clip.name, fault)
    library.set_checked(clip, "damaged", fault)
    if not untouched(clip):
        stays = "The file was changed since it was cut, so it was left as it is."
    else:
        try:
            remade, fault = _remade(clip, fault, sources.of(clip), library, settings, token)
        except Cancelled:
            raise
        except ClipGeneratorError as error:
            stays = f"It could not be cut anew: {error}"
        else:
            if not fault:
                library.set_checked(remade, "sound", remade.check_note)
                return Verdict(clip.id, clip.name, "remade", remade.check_note)
            clip, stays = remade, "It was cut anew, which did not help."
    note = f"{fault} {stays}"
    library.set_checked(clip, "damaged", note)
    return Verdict(clip.id, clip.name, "damaged", note)


def _fault(clip: Clip, token: CancelToken) -> str:
    """What is wrong with its file; empty when nothing is."""
    # PyAV, which nobody needs who only opens the library.
    from kick_clip_generator.media.whole import check_whole

    try:
        check_whole(clip.path, cancel=token)
    except MediaError as error:
        return str(error)
    return ""


def _remade(
    clip: Clip, fault: str, source: Source, library: Library, settings: Settings, token: CancelToken
) -> tuple[Clip, str]:
    """Cut a clip anew, in each way that is stricter than its own, until one is sound.

    Returns:
        the clip as it is now, and what is still wrong with it.
    """
    if clip.quality:
        settings = with_changes(settings, quality=clip.quality)
    why = f"A {clip.cut} cut was damaged ({fault.rstrip('.')}), so the clip was cut anew."
    for way in STRICTER[clip.cut][1:] or ("exact",):
        clip = recut(
            source,
            clip,
            clip.span,
            mode=way,
            damaged=why,
            library=library,
            settings=settings,
            progress=silent,
            cancel=token,
        ).clip
        fault = _fault(clip, token)
        if not fault:
            break
    return clip, fault


class _Sources:
    """The sources of clips as they are now, each looked up once."""

    def __init__(self, library: Library, settings: Settings, token: CancelToken) -> None:
        self._library = library
        self._settings = settings
        self._token = token
        self._known: dict[int, Source | ClipGeneratorError] = {}

    def of(self, clip: Clip) -> Source:
        """
        Raises:
            SourceError: it is gone, still running, or another one by now.
        """
        if clip.source_id not in self._known:
            try:
                self._known[clip.source_id] = self._resolved(clip.source_id)
            except (SourceError, MediaError, LibraryError) as error:
                self._known[clip.source_id] = error
        found = self._known[clip.source_id]
        if isinstance(found, ClipGeneratorError):
            raise found
        return found

    def _resolved(self, source_id: int) -> Source:
        record = self._library.source(source_id)
        source = resolve_or_kept(self._library, source_id, record.url, self._settings, self._token)
        if source.live:
            raise SourceError(f"{source.title} is still running.")
        if not is_same(source, record):
            raise SourceError(f"{source.title} is not what it was when the clip was cut.", outcome="changed")
        return source
