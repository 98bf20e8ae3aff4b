"""Backups of the library: daily, by hand, and the way back."""

from __future__ import annotations

from pathlib import Path

from kick_clip_generator.core.errors import InputError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.backups import list_backups
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.records import Published


def back_up(library: Library, settings: Settings, target: Path | None = None) -> Published:
    """Write a backup; the newest `BACKUPS_KEPT` of the program's own are kept.

    Args:
        target: a file of one's own choice, which is never deleted; default: a new one in the backup folder.

    Raises:
        LibraryError: when it exists or cannot be written.
    """
    if target is not None:
        return library.backup(target)
    return library.daily_backup(keep=settings.backups_kept)


def restore(library: Library, backup: Path | None = None) -> tuple[Path, Path]:
    """Put a backup in the place of all that is in the library.

    Args:
        backup: default: the newest that the program made.

    Returns:
        the backup that was restored, and one of what was there before.

    Raises:
        InputError: when there is none.
        LibraryError: when it is not sound or newer than this program; then nothing is changed.
    """
    if backup is None:
        backup = next(iter(list_backups(library.backup_folder, library.stem)), None)
        if backup is None:
            raise InputError(f"There is no backup in {library.backup_folder}; name the file to restore.")
    if not backup.is_file():
        raise InputError(f"There is no file {backup}; choose one of {library.backup_folder}.")
    return backup, library.restore(backup)
