"""Room on the disk: what nobody rated or kept goes when it is old or the quota is reached, the oldest first."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from kick_clip_generator.core.errors import NotFoundError
from kick_clip_generator.core.progress import CancelToken, Progress, ProgressCallback, silent
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Clip, ClipQuery
from kick_clip_generator.library.thumbnails import delete_thumbnail
from kick_clip_generator.service.reconcile import Reconciled, reconcile

log = logging.getLogger(__name__)

DAY_S = 86400.0
GB = 10**9
# Somebody may just be looking at them.
YOUNGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Retained:
    """What a clean-up did.

    Attributes:
        removed: ids of the clips that were deleted.
        freed: bytes.
        notes: sentences for the user.
        reconciled: what was found in the folders before.
    """

    removed: tuple[int, ...]
    freed: int
    notes: tuple[str, ...]
    reconciled: Reconciled


def retain(
    library: Library,
    settings: Settings,
    *,
    progress: ProgressCallback = silent,
    cancel: CancelToken | None = None,
    dry_run: bool = False,
) -> Retained:
    """Make room. Clips that are rated, kept or moved stay, and so does a file that was changed since it was recorded.

    Args:
        dry_run: only say what would be deleted.

    Raises:
        LibraryError: when the library fails.
        Cancelled: when the token is up.
    """
    found = reconcile(library, settings)
    over = _over_quota(library, settings)
    before = time.time() - settings.retention_days * DAY_S if settings.retention_days else None
    removed: list[int] = []
    freed = 0
    for clip in _disposable(library):
        if cancel is not None:
            cancel.check()
        is_old = before is not None and clip.created_at < before
        if not is_old and freed >= over:
            break
        if library.is_precious(clip) and clip.path.exists():
            continue
        if not dry_run and not _delete(library, clip):
            continue
        removed.append(clip.id)
        freed += clip.size
        progress(Progress("retention", len(removed)))
    notes = []
    if removed:
        notes.append(
            f"{len(removed)} clips that nobody rated or kept {'would be' if dry_run else 'were'} deleted "
            f"({freed / GB:.2f} GB)."
        )
    if over > freed:
        notes.append(
            f"{(over - freed) / GB:.2f} GB more than QUOTA_GB={settings.quota_gb:g} are in use, and what is left is "
            "rated, kept, new or a download: delete some of it, or raise the quota."
        )
    return Retained(tuple(removed), freed, tuple(notes), found)


def _over_quota(library: Library, settings: Settings) -> int:
    return max(0, library.usage().total - int(settings.quota_gb * GB)) if settings.quota_gb else 0


def _disposable(library: Library) -> Iterator[Clip]:
    """The oldest first; read page by page, since those on it may be gone before the next."""
    query = ClipQuery(unrated=True, kept=False, dropped=False, sort="oldest", limit=500)
    newest = time.time() - YOUNGEST_S
    after: str | None = None
    while True:
        page = library.clips(replace(query, after=after))
        for clip in page.items:
            if not clip.moved and clip.created_at < newest:
                yield clip
        after = page.after
        if after is None:
            return


def _delete(library: Library, clip: Clip) -> bool:
    """The file, then the row: after a kill in between, the row is one whose file is missing, and goes the next time."""
    try:
        clip.path.unlink(missing_ok=True)
        delete_thumbnail(clip.path)
        library.forget_clip(clip.id)
    except OSError as error:
        log.warning("%s cannot be deleted (%s).", clip.path, error.strerror)
        return False
    except NotFoundError:
        return False
    return True
