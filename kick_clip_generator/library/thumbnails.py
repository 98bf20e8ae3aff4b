"""Where the thumbnail of a clip lies: in a hidden folder beside it, under its name, so that the row tells."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.files import part_file, publish

log = logging.getLogger(__name__)

# People look through the clips' folder with a file manager, in which pictures between the clips are in the way.
FOLDER = ".thumbnails"


def thumbnail_path(clip: Path) -> Path:
    """Of the clip's file; there may be none."""
    return clip.parent / FOLDER / f"{clip.stem}.jpg"


def write_thumbnail(clip: Path, jpeg: bytes) -> Path:
    """Put a thumbnail beside a clip, in the place of an older one.

    Raises:
        LibraryError: when it cannot be written.
    """
    path = thumbnail_path(clip)
    try:
        path.parent.mkdir(exist_ok=True)
        with part_file(path) as part:
            part.write_bytes(jpeg)
            publish(part, path, replace=True)
    except OSError as error:
        raise LibraryError(f"{path} cannot be written ({error.strerror}); check the folder's rights.") from error
    return path


def move_thumbnail(old: Path, new: Path) -> None:
    """Let the thumbnail follow its clip; one that cannot be moved holds up nothing."""
    with contextlib.suppress(FileNotFoundError):
        try:
            thumbnail_path(new).parent.mkdir(exist_ok=True)
            thumbnail_path(old).replace(thumbnail_path(new))
        except FileNotFoundError:
            raise
        except OSError as error:
            log.info("The thumbnail of %s stays behind: %s", old.name, error)


def delete_thumbnail(clip: Path) -> None:
    """It is no longer that of the clip; one that cannot be deleted holds up nothing."""
    try:
        thumbnail_path(clip).unlink(missing_ok=True)
    except OSError as error:
        log.info("The thumbnail of %s stays behind: %s", clip.name, error)
