"""What was fetched and will be wanted again, on the disk: clips that share media fetch them once."""

from __future__ import annotations

import contextlib
import logging
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path

log = logging.getLogger(__name__)

# Two minutes of 1080p60, a third of that in 4K, beside what is in memory. Clips of one stream seldom share more.
KEPT_ON_DISK_BYTES = 512 * 2**20


class Kept:
    """Pieces of media by number, in a folder of their own; used by one thread.

    It only saves requests: what cannot be written or read is fetched again.

    Args:
        folder: made and deleted by its owner; ours is made in it when there is something to keep.
        most_bytes: the oldest go when more is there.
    """

    def __init__(self, folder: Path, most_bytes: int = KEPT_ON_DISK_BYTES) -> None:
        self._parent = folder
        self._most_bytes = most_bytes
        self._folder: Path | None = None
        # Oldest first.
        self._sizes: dict[int, int] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._sizes

    def put(self, number: int, data: bytes) -> None:
        """Keep a piece; nothing happens when it is there."""
        if number in self._sizes or len(data) > self._most_bytes:
            return
        while sum(self._sizes.values()) + len(data) > self._most_bytes:
            self.drop(next(iter(self._sizes)))
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="kept_", dir=self._parent))
            self._path(number).write_bytes(data)
        except OSError as error:
            log.info("Media for the next clips are not kept (%s).", error.strerror)
            self._delete(number)
            return
        self._sizes[number] = len(data)

    def get(self, number: int) -> bytes | None:
        """A piece that is kept, as it was; None for any other."""
        if number not in self._sizes:
            return None
        try:
            data = self._path(number).read_bytes()
        except OSError:
            data = b""
        if len(data) == self._sizes[number]:
            return data
        self.drop(number)
        return None

    def drop(self, number: int) -> None:
        """Keep a piece no longer."""
        if self._sizes.pop(number, None) is not None:
            self._delete(number)

    def only(self, numbers: Collection[int]) -> None:
        """Drop all others."""
        for number in self._sizes.keys() - set(numbers):
            self.drop(number)

    def close(self) -> None:
        """Drop everything."""
        self._sizes.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / str(number)

    def _delete(self, number: int) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._path(number).unlink()
