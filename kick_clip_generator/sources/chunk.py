"""Files of media on their way through `temp_chunks/`."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kick_clip_generator.core.errors import LibraryError


@dataclass(frozen=True, slots=True)
class MediaSpan:
    """Media to cut a clip from.

    Attributes:
        path: the file.
        offset_s: absolute stream time of the file's container start.
        temporary: whether the caller deletes it afterwards.
        end_s: absolute stream time where its media end; infinite for whole sources. Earlier than what was asked for
            where a discontinuity cuts the span short.
    """

    path: Path
    offset_s: float
    temporary: bool
    end_s: float = math.inf


def write_chunk(target: Path, pieces: Iterable[bytes]) -> int:
    """Write a file that is either complete or not there; returns its size in bytes.

    Raises:
        LibraryError: when the folder cannot be written to.
    """
    part = target.with_name(f"{target.name}.part")
    with writable(target.parent), removed_on_failure(part):
        with part.open("wb") as file:
            size = sum(file.write(piece) for piece in pieces)
        os.replace(part, target)
    return size


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Turn the operating system's complaints into one of ours."""
    try:
        yield
    except OSError as error:
        raise LibraryError(
            f"{folder} cannot be written to ({error.strerror}); free some space or choose another folder in TEMP_DIR."
        ) from None


@contextlib.contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Leave no half file behind."""
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
