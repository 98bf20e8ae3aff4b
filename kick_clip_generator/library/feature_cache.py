"""Features of finished windows, kept as one compressed file per (content, settings, code version).

While a job runs, each window's rows lie in its database row, written in one transaction with its checkpoint. When the
job is done they move here: analysing the same source again, with other detection settings or another span, then reads
no media, and the database stays small.
"""

from __future__ import annotations

import logging
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kick_clip_generator.core.timeline import FloatArray
from kick_clip_generator.library.files import check_writable, part_file, publish

log = logging.getLogger(__name__)

Rows = Mapping[int, tuple[int, FloatArray]]
"""Window number to its first tick and its rows, float32 `(ticks, names)`."""


class FeatureCache:
    """A folder of such files.

    Args:
        folder: made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, key: str, columns: int) -> dict[int, tuple[int, FloatArray]]:
        """The windows stored under a key; none when there are none, or the file is damaged or of other columns."""
        path = self._path(key)
        try:
            with np.load(path, allow_pickle=False) as stored:
                numbers, first_ticks, stops, values = (
                    stored[name] for name in ("numbers", "first_ticks", "stops", "values")
                )
            if values.ndim != 2 or values.shape[1] != columns or not len(numbers) == len(first_ticks) == len(stops):
                raise ValueError(f"expected {columns} columns, got shape {values.shape}")
            pieces = np.split(values.astype(np.float32, copy=False), stops[:-1])
            return {int(n): (int(first), rows) for n, first, rows in zip(numbers, first_ticks, pieces, strict=True)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            log.warning("The stored features %s cannot be read and are measured again: %s", path.name, error)
            return {}

    def save(self, key: str, windows: Rows) -> None:
        """Store windows under a key, in the place of what was there, whole or not at all.

        Raises:
            LibraryError: when the folder cannot be written.
        """
        if not windows:
            return
        check_writable(self._folder)
        ordered = sorted(windows.items())
        with part_file(self._path(key)) as part:
            with part.open("wb") as file:
                np.savez_compressed(
                    file,
                    numbers=np.array([n for n, _ in ordered], np.int64),
                    first_ticks=np.array([first for _, (first, _) in ordered], np.int64),
                    stops=np.cumsum([len(rows) for _, (_, rows) in ordered], dtype=np.int64),
                    values=np.concatenate([rows for _, (_, rows) in ordered]).astype(np.float32, copy=False),
                )
            publish(part, self._path(key), replace=True)

    def forget(self, key: str) -> None:
        """Delete what is stored under a key; nothing happens when there is nothing, or it cannot be deleted."""
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            log.warning("The stored features %s cannot be deleted: %s", self._path(key).name, error)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key.replace(':', '-')}.npz"
