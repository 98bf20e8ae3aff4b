"""Puts clips into one ZIP file, which appears when it is whole."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from kick_clip_generator.core.errors import InputError, LibraryError
from kick_clip_generator.core.protocols import ExportFile
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import check_writable, free_path, part_file, publish, sweep_parts

# The clock of a ZIP begins in 1980 and ends in 2107.
_EARLIEST, _LATEST = 315_532_800.0, 4_354_819_198.0
_COPIED_BYTES = 1 << 20


class Destination:
    """`into` is the file, or a folder where it is called `clips_<date>_<time>.zip`; empty for `EXPORT_DIR`.

    Media do not get smaller, so they are stored as they are; one list of clips always gives the same bytes.
    """

    def __init__(self, into: str, settings: Settings) -> None:
        path = Path(into).expanduser() if into else settings.export_dir
        self._named = path.suffix.lower() == ".zip" and not path.is_dir()
        if self._named and path.exists():
            raise InputError(f"{path} is there already and is not overwritten; choose another name.")
        self._path = path
        self._target = path
        self._failed: LibraryError | None = None

    def __enter__(self) -> Self:
        folder = self._path.parent if self._named else self._path
        check_writable(folder)
        sweep_parts(folder)
        if not self._named:
            self._target = free_path(folder, f"clips_{datetime.now():%Y%m%d_%H%M%S}.zip")
        with ExitStack() as stack:
            self._part = stack.enter_context(part_file(self._target))
            try:
                self._archive = stack.enter_context(zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED))
            except OSError as error:
                raise self._unwritable(error) from error
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or self._failed is not None:
            self._discard()
            if kind is None and self._failed is not None:
                raise self._failed
            return
        with self._stack:
            try:
                self._archive.close()
            except OSError as why:
                self._discard()
                raise self._unwritable(why) from why
            publish(self._part, self._target)

    def send(self, file: ExportFile) -> str:
        if self._failed is not None:
            raise self._failed
        # Opened before the archive is touched: a clip that can't be read leaves it whole.
        with file.path.open("rb") as source:
            entry = zipfile.ZipInfo(file.name, _date_of(file.made_at))
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.file_size = file.path.stat().st_size
            try:
                with self._archive.open(entry, "w") as target:
                    shutil.copyfileobj(source, target, _COPIED_BYTES)
            except OSError as error:
                self._failed = self._unwritable(error)
                raise self._failed from error
        return str(self._target)

    def _discard(self) -> None:
        # Closing an archive writes its index, and on a full disk fails with it; nothing of it is wanted now.
        file, self._archive.fp = self._archive.fp, None
        with self._stack, suppress(OSError):
            if file is not None:
                file.close()

    def _unwritable(self, error: OSError) -> LibraryError:
        return LibraryError(
            f"{self._target} cannot be written ({error.strerror or error}); free some space or choose another folder."
        )


def _date_of(time_s: float) -> tuple[int, int, int, int, int, int]:
    # In UTC, so that it is the same on every machine.
    when = datetime.fromtimestamp(min(max(time_s, _EARLIEST), _LATEST), UTC)
    return when.year, when.month, when.day, when.hour, when.minute, when.second
