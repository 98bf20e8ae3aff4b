"""Labels by folder: a clip that is kept lies in `keep/`, one that is dropped in `drop/`, and both teach the ranking."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import free_path, move_file
from kick_clip_generator.library.folders import Scan, scan_folders
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.places import folder_of
from kick_clip_generator.library.records import Clip, Label, Published
from kick_clip_generator.library.thumbnails import move_thumbnail
from kick_clip_generator.pipeline.thumbnails import make_thumbnail
from kick_clip_generator.service.rating import RateOutcome, after_rating

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelOutcome:
    """A clip with its new label and place, and what that led to."""

    clip: Clip
    outcome: RateOutcome


def scan(library: Library, settings: Settings) -> Scan:
    """Look through the folders of the clips; what somebody did in a file manager is noted.

    Raises:
        LibraryError: when the library fails.
    """
    found = scan_folders(library, settings.clips_dir, drop_days=settings.drop_days)
    for clip_id in found.mended:
        clip = library.clip(clip_id)
        make_thumbnail(clip.path, clip.highlight.peak_s - clip.span.start_s)
    if found != Scan(missing=found.missing):
        log.info("The folders of the clips changed: %s", found)
    return found


def set_label(library: Library, settings: Settings, clip_id: int, label: Label | None) -> LabelOutcome:
    """Keep or drop a clip: its file moves to `keep/` or `drop/`, and the label is one for training.

    A clip that has stars is still learned from by its stars. Dropped clips are deleted after `DROP_DAYS`.

    Args:
        label: None takes the label back; the file returns to its folder.

    Raises:
        LibraryError: when there is no such clip, its file is not there, or the disk refuses.
    """
    clip = library.clip(clip_id)
    folder = folder_of(clip.home, label)
    path = clip.path
    if path.is_file() and path.parent != folder:
        path = _moved(library, clip, label)
    elif not path.is_file() and label != "drop":
        # A clip that was deleted by hand may still be called a bad one.
        raise LibraryError(f"The file of clip {clip.id} is not at {path} any more; put it back or cut it anew.")
    updated = library.place_clip(clip.id, Published(path, clip.size, clip.sha256, clip.mtime_ns), clip.home, label)
    if label is None:
        return LabelOutcome(updated, RateOutcome(library.rating_totals().total, "Taken back."))
    return LabelOutcome(updated, after_rating(library, settings))


def _moved(library: Library, clip: Clip, label: Label | None) -> Path:
    folder = folder_of(clip.home, label)
    if folder.is_symlink():
        raise LibraryError(f"{folder} is a link, and clips are not moved through links; delete it or rename it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"The folder {folder} cannot be made ({error.strerror}); rename what is in its way."
        ) from error
    target = free_path(folder, clip.name, taken=lambda path: library.clip_at(path) is not None)
    move_file(clip.path, target)
    move_thumbnail(clip.path, target)
    return target
