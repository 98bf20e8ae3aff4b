"""A file that a client sends: written beside its place, looked at by decoding, and only then a project."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from kick_clip_generator.core.errors import InputError, LibraryError, MediaError
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import MIN_FREE_BYTES, check_writable, free_path, part_file, publish
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.names import safe_name
from kick_clip_generator.library.projects import Project
from kick_clip_generator.media.taste import taste
from kick_clip_generator.service.projects import add_project

# Below `DOWNLOAD_DIR`: an upload counts like a download that is kept.
FOLDER = "uploads"

GB = 10**9
_LONGEST_STEM = 120
_LONGEST_TITLE = 300
_LOOK_AT_DISK_EVERY = 64 * 2**20

# The ending says nothing about the content, but players and people go by it.
_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".flv", ".avi", ".m4a", ".mp3", ".wav", ".ogg", ".opus", ".flac"}
)


class TooLarge(InputError):
    """More than may be uploaded."""


class Upload:
    """A file while it arrives.

    Args:
        file: open for writing.
        part: where that lies.
        most_bytes: what it may have.
    """

    def __init__(self, file: BinaryIO, part: Path, most_bytes: int) -> None:
        self.part = part
        self.size = 0
        self._file = file
        self._most_bytes = most_bytes

    def write(self, data: bytes) -> None:
        """Raises:
        TooLarge: when it is more than may be uploaded.
        LibraryError: when the disk is full or failing.
        """
        before, self.size = self.size, self.size + len(data)
        if self.size > self._most_bytes:
            raise TooLarge(f"The file is larger than the {self._most_bytes / GB:g} GB of UPLOAD_LIMIT.")
        try:
            if before // _LOOK_AT_DISK_EVERY != self.size // _LOOK_AT_DISK_EVERY:
                # The library lies on the same disk as a rule, and must go on working.
                check_room(self.part.parent)
            self._file.write(data)
        except OSError as error:
            raise LibraryError(f"The upload cannot be written ({error.strerror}); free some space.") from error

    def close(self) -> None:
        """No more comes."""
        try:
            self._file.close()
        except OSError as error:
            raise LibraryError(f"The upload cannot be written ({error.strerror}); free some space.") from error


@contextmanager
def receive(settings: Settings) -> Iterator[Upload]:
    """A place for a file that arrives; gone at the end unless `keep` was called.

    Raises:
        LibraryError: when nothing can be written there.
    """
    folder = settings.download_dir / FOLDER
    check_writable(folder)
    with part_file(folder / "upload") as part:
        unique = part.with_name(f"{id(part):x}.{part.name}")
        try:
            with unique.open("wb") as file:
                yield Upload(file, unique, int(settings.upload_limit * GB))
        finally:
            unique.unlink(missing_ok=True)


def keep(library: Library, settings: Settings, upload: Upload, name: str, title: str) -> Project:
    """Make a project of a file that has arrived.

    Args:
        name: as the client calls it, which is not believed.

    Raises:
        MediaError: when no picture and no sound of it can be decoded.
        LibraryError: when the disk refuses.
    """
    upload.close()
    try:
        taste(upload.part)
    except MediaError:
        raise MediaError("The file that was sent holds no picture or sound that can be decoded.") from None
    given = Path(name.replace("\\", "/")).name
    suffix = Path(given).suffix.lower()
    stem = safe_name(Path(given).stem or "upload", max_bytes=_LONGEST_STEM)
    folder = upload.part.parent
    target = free_path(folder, f"{stem}{suffix if suffix in _SUFFIXES else '.mp4'}")
    published = publish(upload.part, target)
    # It lies where the server put it, so it does not matter who asked.
    project = add_project(
        library, settings, str(published.path), client="127.0.0.1", title=(title or Path(given).stem)[:_LONGEST_TITLE]
    )
    library.set_project_video(project.id, published)
    return library.project(project.id)


def check_room(folder: Path) -> None:
    """Raises:
    LibraryError: when the disk of a folder is nearly full.
    """
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        raise LibraryError(f"The disk of {folder} is nearly full ({free / 2**20:.0f} MB left); free some space.")
