"""Files that are never half there: written beside the target, checked, synced, renamed, and only then recorded."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.library.names import safe_name as safe_name
from kick_clip_generator.library.owner import process_start, start_is_dead
from kick_clip_generator.library.records import Published as Published

log = logging.getLogger(__name__)

# `<name>.<pid>.<start>.part`: browsers call their downloads `.part` too, and those are not ours to delete.
_PART = re.compile(r".+\.([0-9]{1,10})\.([0-9a-f]{8}-[0-9a-f]+)\.part")
_LONGEST_PART_STEM = 180
_FORGOTTEN_S = 24 * 3600.0

MIN_FREE_BYTES = 100 * 2**20


def canonical(path: Path) -> Path:
    """The one spelling of a path: absolute, with the links of its folder resolved."""
    return Path(os.path.realpath(path.parent), path.name)


def part_path(target: Path) -> Path:
    """Where to write what will become `target`: beside it, with this process in the name."""
    pid = os.getpid()
    name = target.name
    if len(os.fsencode(name)) > _LONGEST_PART_STEM:
        name = safe_name(name, max_bytes=_LONGEST_PART_STEM)
    return target.with_name(f"{name}.{pid}.{process_start(pid)}.part")


@contextmanager
def part_file(target: Path) -> Iterator[Path]:
    """A `part_path` that is deleted at the end unless it was published.

    >>> with part_file(target) as part:
    ...     write(part)
    ...     published = publish(part, target)
    """
    part = part_path(target)
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def publish(
    part: Path, target: Path, *, replace: bool = False, announce: Callable[[Published], None] | None = None
) -> Published:
    """Give a finished file its name, so that it survives a power cut whole or not at all.

    Args:
        part: beside the target, see `part_path`.
        replace: put it in the place of a file that is there.
        announce: called with what will be there, just before it is.

    Raises:
        LibraryError: when the target exists and `replace` is False, or the disk refuses; `part` is left then.
    """
    try:
        with part.open("rb+") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
            stat = os.fstat(file.fileno())
        published = Published(canonical(target), stat.st_size, digest, stat.st_mtime_ns)
        if announce is not None:
            announce(published)
        if replace:
            part.replace(target)
        else:
            _rename_to_new(part, target)
        _sync_folder(target.parent)
    except FileExistsError as error:
        raise LibraryError(
            f"{target} is there already and was not overwritten; move it or choose another name."
        ) from error
    except OSError as error:
        raise _explain(error, target, "written") from error
    return published


def move_file(path: Path, target: Path) -> None:
    """Move a file to a name that is free, on the same disk.

    Raises:
        LibraryError: when the target exists, or the disk refuses; the file stays where it is then.
    """
    try:
        _rename_to_new(path, target)
        for folder in {path.parent, target.parent}:
            _sync_folder(folder)
    except FileExistsError as error:
        raise LibraryError(f"{target} is there already and was not overwritten; move it away.") from error
    except OSError as error:
        raise _explain(error, target, "written") from error


def sha256_of(path: Path) -> str:
    """The digest of a file's content, hexadecimal.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sweep_parts(folder: Path) -> list[Path]:
    """Delete the parts that dead processes left in a folder; returns them.

    Parts of living processes stay, and so does every file that only looks similar. Those of other machines, or from
    before this one was started anew, go when they are a day old.
    """
    swept: list[Path] = []
    if not folder.is_dir():
        return swept
    here = process_start(os.getpid()).partition("-")[0]
    for path in folder.glob("*.part"):
        found = _PART.fullmatch(path.name)
        if found is None:
            continue
        try:
            if found[2].startswith(here):
                left_over = start_is_dead(int(found[1]), found[2])
            else:
                left_over = time.time() - path.stat().st_mtime > _FORGOTTEN_S
            if not left_over:
                continue
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            log.warning("The left-over %s cannot be deleted (%s).", path, error.strerror)
            continue
        swept.append(path)
    return swept


def free_path(folder: Path, name: str, *, taken: Callable[[Path], bool] = lambda path: False) -> Path:
    """The path for a new file: `name`, or the first of `name_2`, `name_3` … (before the extension) that is free.

    Args:
        name: a file name.
        taken: tells paths that are not free although no file is there, e.g. of a recorded clip that was moved.
    """
    path = folder / name
    number = 1
    while os.path.lexists(path) or taken(path):
        number += 1
        path = folder / f"{Path(name).stem}_{number}{Path(name).suffix}"
    return path


def check_writable(folder: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
    """Make sure that files can be written into a folder, by writing one; the folder is made when missing.

    Raises:
        LibraryError: read-only, no folder, or less than `min_free_bytes` left.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
        free = shutil.disk_usage(folder).free
    except FileExistsError as error:
        raise LibraryError(f"{folder} is a file, not a folder; choose another folder.") from error
    except OSError as error:
        raise _explain(error, folder, "written to") from error
    if free < min_free_bytes:
        raise LibraryError(
            f"The disk of {folder} is nearly full ({free / 2**20:.0f} MB left, {min_free_bytes / 2**20:.0f} needed); "
            "free some space or choose another folder."
        )


def _rename_to_new(part: Path, target: Path) -> None:
    """Rename that fails when the target exists, even when it appears at the last moment."""
    if os.name == "nt":
        part.rename(target)  # fails by itself there
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # FAT and some network shares have no hard links.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        part.rename(target)
        return
    part.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there; NTFS writes its journal itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explain(error: OSError, path: Path, verb: str) -> LibraryError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return LibraryError(f"{path} cannot be {verb} because the disk is full; free some space and try again.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return LibraryError(
                f"{path} cannot be {verb} because it is read-only; change that or choose another folder."
            )
        case errno.ENOTDIR:
            return LibraryError(f"{path} cannot be {verb} because a part of its path is a file; choose another folder.")
        case errno.ENAMETOOLONG:
            return LibraryError(f"{path} cannot be {verb} because its name is too long; choose a shorter one.")
    return LibraryError(f"{path} cannot be {verb} ({error.strerror}); check the disk or choose another folder.")
