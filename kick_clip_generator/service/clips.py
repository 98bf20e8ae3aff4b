"""One clip: another name, or gone for good."""

from __future__ import annotations

from kick_clip_generator.core.errors import ConflictError, InputError, LibraryError
from kick_clip_generator.library.files import move_file
from kick_clip_generator.library.library import Library
from kick_clip_generator.library.names import safe_name
from kick_clip_generator.library.records import Clip, Published
from kick_clip_generator.library.thumbnails import delete_thumbnail, move_thumbnail
from kick_clip_generator.pipeline.clips import untouched

LONGEST_NAME = 150


def rename_clip(library: Library, clip_id: int, name: str) -> Clip:
    """Give the file of a clip another name in its folder; its ending stays.

    Args:
        name: any text; what a file system would choke on is replaced.

    Raises:
        NotFoundError: when there is no such clip.
        InputError: when nothing is left of the name.
        ConflictError: when the name is taken.
        LibraryError: when the file is not there, or the disk refuses.
    """
    clip = library.clip(clip_id)
    stem = name.strip().removesuffix(clip.path.suffix).strip()
    if not stem:
        raise InputError("A clip needs a name; give it one.")
    target = clip.path.with_name(f"{safe_name(stem, max_bytes=LONGEST_NAME)}{clip.path.suffix}")
    if target == clip.path:
        return clip
    if not clip.path.is_file():
        raise LibraryError(f"The file of clip {clip.id} is not at {clip.path} any more; put it back or cut it anew.")
    if target.exists() or library.clip_at(target) is not None:
        raise ConflictError(f"{target.name} is the name of another file; choose another one.")
    move_file(clip.path, target)
    move_thumbnail(clip.path, target)
    return library.update_clip(clip.id, file=Published(target, clip.size, clip.sha256, clip.mtime_ns))


def delete_clip(library: Library, clip_id: int) -> None:
    """Take a clip out of the library and off the disk. What its rating taught stays.

    A file that was changed or replaced by somebody since it was cut is theirs, and stays.

    Raises:
        NotFoundError: when there is no such clip.
        LibraryError: when the file cannot be deleted; the clip stays in the library then.
    """
    clip = library.clip(clip_id)
    if untouched(clip):
        try:
            clip.path.unlink(missing_ok=True)
        except OSError as error:
            raise LibraryError(f"{clip.path} cannot be deleted ({error.strerror}); check its rights.") from error
        delete_thumbnail(clip.path)
    library.forget_clip(clip_id)
