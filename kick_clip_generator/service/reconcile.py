"""Files and rows, brought together: left-over parts go, rows follow their files, strays and missing files are named."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import sweep_parts
from kick_clip_generator.library.folders import Scan
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.thumbnails import FOLDER as THUMBNAILS
from kick_clip_generator.service.folders import scan

log = logging.getLogger(__name__)

# Deep enough for output_clips/<source>/keep; a folder of one's own below that is left alone.
DEPTH = 3
MEDIA = (".mp4", ".mkv", ".mov", ".webm", ".ts")


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found.

    Attributes:
        scan: what became of the clips' files, see `library.folders`.
        swept: parts that dead processes had left, deleted.
        strays: media in the clips' folders that no row names; they are left alone.
        missing: clips whose file is gone; they are flagged in the library.
    """

    scan: Scan
    swept: tuple[Path, ...]
    strays: tuple[Path, ...]
    missing: tuple[int, ...]


def reconcile(library: Library, settings: Settings) -> Reconciled:
    """Look through all folders that the program writes to.

    Raises:
        LibraryError: when the library fails; folders that cannot be read are left out.
    """
    found = scan(library, settings)
    homes = {note.home for note in library.file_notes()}
    clip_folders = list(dict.fromkeys([*_below(settings.clips_dir, DEPTH), *(f for h in homes for f in _below(h, 1))]))
    others = (
        settings.export_dir,
        settings.download_dir,
        settings.model_dir,
        settings.feature_dir,
        library.backup_folder,
    )
    swept = [path for folder in (*clip_folders, *others) for path in sweep_parts(folder)]
    known = library.known_files()
    strays = [
        path
        for folder in clip_folders
        if folder.name != THUMBNAILS
        for path in _files(folder)
        if path.suffix.lower() in MEDIA and path not in known
    ]
    if swept or strays:
        log.info("Reconciled: %d left-over parts deleted, %d files are not in the library.", len(swept), len(strays))
    return Reconciled(found, tuple(swept), tuple(strays), tuple(found.missing))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """A folder and those in it, links left out."""
    folder = folder.resolve()
    if not folder.is_dir():
        return
    yield folder
    if depth:
        for child in _entries(folder):
            if child.is_dir() and not child.is_symlink():
                yield from _below(child, depth - 1)


def _files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file() and not path.is_symlink()]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
