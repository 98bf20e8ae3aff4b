"""Copies clips into a folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

from kick_clip_generator.core.errors import LibraryError
from kick_clip_generator.core.protocols import ExportFile
from kick_clip_generator.core.settings import Settings
from kick_clip_generator.library.files import check_writable, free_path, part_file, publish, sweep_parts


class Destination:
    """`into` is the folder, made when missing; empty for `EXPORT_DIR`. A file whose name is taken gets a number."""

    def __init__(self, into: str, settings: Settings) -> None:
        self._folder = Path(into).expanduser() if into else settings.export_dir

    def __enter__(self) -> Self:
        check_writable(self._folder)
        sweep_parts(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every file is whole on its own."""

    def send(self, file: ExportFile) -> str:
        target = free_path(self._folder, file.name)
        try:
            with part_file(target) as part:
                shutil.copyfile(file.path, part)
                return str(publish(part, target).path)
        except OSError as error:
            raise LibraryError(
                f"{target} cannot be written ({error.strerror or error}); free some space or choose another folder."
            ) from error
