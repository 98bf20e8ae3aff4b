"""Opening the library that the settings name."""

from __future__ import annotations

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library
from kick_clip_generator.service.folders import scan


def open_library(settings: Settings) -> Library:
    """Open the database, making and migrating it where needed; a context manager.

    What was done to the clips' files in a file manager since is noted, see `service.folders`.

    Raises:
        LibraryError: when it is locked, out of reach, damaged without a backup, newer than the program, or its folder
            cannot be written.
    """
    library = Library.open(settings.library_place, backup_folder=settings.backup_dir)
    try:
        scan(library, settings)
    except BaseException:
        library.close()
        raise
    return library
