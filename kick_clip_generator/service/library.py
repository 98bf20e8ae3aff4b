"""Opening the library that the settings name."""

from __future__ import annotations

from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.library import Library


def open_library(settings: Settings) -> Library:
    """Open `clips.db`, making and migrating it where needed; a context manager.

    Raises:
        LibraryError: when it is locked, damaged, newer than the program, or its folder cannot be written.
    """
    return Library.open(settings.database_path)
